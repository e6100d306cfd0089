//! What each verb does. A verb asks the daemon, and hands the answer to [`crate::render`].

use crate::cli::{Cli, Verb};
use crate::exit::Exit;
use crate::render::Output;

mod bundle;
mod configure;
mod confirm;
mod ddns;
mod doctor;
mod events;
mod explain;
mod failover;
mod import;
mod kill;
mod lab;
mod look;
mod pin;
mod probe;
mod rebalance;
mod report;
mod sessions;
mod state;
mod top;
mod trial;
mod undo;
mod wait;
mod weight;

/// Does what was typed.
pub(crate) async fn run(cli: &Cli, output: &mut Output) -> anyhow::Result<Exit> {
    let client = cli.client()?.for_nodes(cli.nodes());
    match &cli.verb {
        Verb::Status => look::status(&client, output).await,
        Verb::Vips => look::vips(&client, output).await,
        Verb::Backends => look::backends(&client, output).await,
        Verb::Sessions(asked) => sessions::run(&client, asked, output).await,
        Verb::Top(asked) => top::run(&client, asked, output).await,
        Verb::Events(asked) => events::run(&client, asked, output).await,
        Verb::Drain(asked) => state::drain(&client, asked, output).await,
        Verb::Ready(asked) => state::ready(&client, asked, output).await,
        Verb::Maint(asked) => state::maint(&client, asked, output).await,
        Verb::Weight(asked) => weight::run(&client, asked, output).await,
        Verb::Undo(asked) => undo::run(&client, asked, output).await,
        Verb::Pin { duration } => pin::run(&client, *duration, output).await,
        Verb::Probe { server: (backend, server) } => probe::run(&client, backend, server, output).await,
        Verb::Kill { session } => kill::run(&client, *session, output).await,
        Verb::Rebalance(asked) => rebalance::run(&client, asked, output).await,
        Verb::Plan { file } => configure::plan(&client, file, output).await,
        Verb::Apply { file, yes, confirm_within } => {
            configure::apply(&client, file, *yes, *confirm_within, output).await
        }
        Verb::Confirm => trial::confirm(&client, output).await,
        Verb::Rollback => trial::rollback(&client, output).await,
        Verb::Save => trial::save(&client, output).await,
        Verb::Reload { yes } => configure::reload(&client, *yes, output).await,
        Verb::Failover(asked) => failover::run(&client, asked, output).await,
        Verb::Doctor(asked) => doctor::run(&client, asked, output).await,
        Verb::Bundle(asked) => bundle::run(&client, asked, output).await,
        Verb::Explain(asked) => explain::run(&client, asked, output).await,
        Verb::Report(asked) => report::run(&client, asked, output).await,
        Verb::Import(asked) => import::run(asked, output),
        Verb::Lab(asked) => lab::run(asked, output).await,
    }
}
