//! `drain`, `ready`, `maint`: say what is cut, ask, change, and wait when told to.

use std::time::Duration;

use fmc_api::Client;
use fmc_api::command::{Move, SetState as Request, StateChange};
use fmc_api::word::AdminState;

use super::confirm;
use super::failover::{all_move, cuts};
use super::wait::{self, Awaited};
use crate::cli::SetState;
use crate::exit::Exit;
use crate::render::{self, Output};

/// As for `failover`: a node's drain moves VIPs.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

pub(super) async fn drain(client: &Client, asked: &SetState, output: &mut Output) -> anyhow::Result<Exit> {
    change(client, asked, AdminState::Drain, Some(Awaited::Empty), output).await
}

pub(super) async fn ready(client: &Client, asked: &SetState, output: &mut Output) -> anyhow::Result<Exit> {
    change(client, asked, AdminState::Ready, Some(Awaited::InService), output).await
}

/// With `--wait` the target is drained first, so that nothing is cut unless the wait runs out.
pub(super) async fn maint(client: &Client, asked: &SetState, output: &mut Output) -> anyhow::Result<Exit> {
    if asked.wait {
        let drained = drain(client, asked, output).await?;
        if drained != Exit::Done {
            return Ok(drained);
        }
    }
    change(client, asked, AdminState::Maint, None, output).await
}

async fn change(
    client: &Client,
    asked: &SetState,
    state: AdminState,
    awaited: Option<Awaited>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let client = client.clone().with_deadline(DEADLINE);
    let request = |dry_run| asked.target().map(|target| Request { target, dry_run });
    let plan = client.set_state(state, &request(true)?).await?;
    if asked.dry_run {
        output.answer(&plan, render::change::states)?;
        return Ok(exit(&plan.moves));
    }
    output.say(&plan, render::change::plan)?;
    if !confirm::go_on(cut(&plan.changes, &plan.moves) > 0, asked.yes, output)? {
        output.note("nothing was changed")?;
        return Ok(Exit::No);
    }
    let answer = client.set_state(state, &request(false)?).await?;
    output.answer(&answer, render::change::states)?;
    output.unsaved(answer.unsaved.as_deref())?;
    match awaited {
        Some(awaited) if asked.wait => wait::until(&client, awaited, &answer.changes, asked.timeout, output).await,
        _ => Ok(exit(&answer.moves)),
    }
}

/// Connections that are cut. A node's own count is the sum over the VIPs that move.
pub(super) fn cut(changes: &[StateChange], moves: &[Move]) -> u64 {
    let of_targets: u64 = changes.iter().map(|change| change.connections_cut).sum();
    of_targets.max(cuts(moves))
}

/// Whether every VIP that was to leave has left.
pub(super) fn exit(moves: &[Move]) -> Exit {
    if all_move(moves) { Exit::Done } else { Exit::No }
}
