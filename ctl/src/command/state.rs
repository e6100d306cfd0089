//! `drain`, `ready`, `maint`: say what is cut, ask, change, and wait when told to.

use std::time::Duration;

use fmc_api::Client;
use fmc_api::command::{Move, SetState as Request, StateAnswer, StateChange};
use fmc_api::word::AdminState;

use super::confirm;
use super::failover::{all_move, cuts};
use super::wait::{self, Awaited};
use crate::cli::SetState;
use crate::exit::Exit;
use crate::render::{self, Output, others};

/// As for `failover`: a node's drain moves VIPs.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

pub(super) async fn drain(client: &Client, asked: &SetState, output: &mut Output) -> anyhow::Result<Exit> {
    change(client, asked, AdminState::Drain, Some(Awaited::Empty), answer, output).await
}

pub(super) async fn ready(client: &Client, asked: &SetState, output: &mut Output) -> anyhow::Result<Exit> {
    change(client, asked, AdminState::Ready, Some(Awaited::InService), answer, output).await
}

/// With `--wait` the target is drained first, so that nothing is cut unless the wait runs out.
pub(super) async fn maint(client: &Client, asked: &SetState, output: &mut Output) -> anyhow::Result<Exit> {
    if asked.wait {
        let drained = change(client, asked, AdminState::Drain, Some(Awaited::Empty), remark, output).await?;
        if drained != Exit::Done {
            return Ok(drained);
        }
    }
    change(client, asked, AdminState::Maint, None, answer, output).await
}

/// How what was done is told.
type Tell = fn(&mut Output, &StateAnswer) -> anyhow::Result<()>;

/// The answer of the whole command, one on standard output.
fn answer(output: &mut Output, done: &StateAnswer) -> anyhow::Result<()> {
    output.answer(done, render::change::states)
}

/// A step on the way.
fn remark(output: &mut Output, done: &StateAnswer) -> anyhow::Result<()> {
    Ok(output.say(done, render::change::states)?)
}

async fn change(
    client: &Client,
    asked: &SetState,
    state: AdminState,
    awaited: Option<Awaited>,
    tell: Tell,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let client = client.clone().with_deadline(DEADLINE);
    let request = |dry_run| asked.target().map(|target| Request { target, dry_run });
    let plan = client.set_state(state, &request(true)?).await?;
    if asked.dry_run {
        output.answer(&plan, render::change::states)?;
        return Ok(exit(&plan.moves).and(others::all_agree(&plan.others)));
    }
    output.say(&plan, render::change::plan)?;
    if !confirm::go_on(cut_anywhere(&plan) > 0, asked.yes, output)? {
        output.note("nothing was changed")?;
        return Ok(Exit::No);
    }
    let done = client.set_state(state, &request(false)?).await?;
    // A reader that has gone does not end a command in its middle.
    let told = tell(output, &done);
    let warned = output.unsaved(done.unsaved.as_deref());
    let exit = match awaited {
        Some(awaited) if asked.wait => wait::until(&client, awaited, &done.changes, asked.timeout, output).await?,
        _ => exit(&done.moves),
    };
    let exit = exit.and(others::all_agree(&done.others));
    told.and(warned.map_err(Into::into)).map(|()| exit)
}

/// Connections that are cut on any node.
fn cut_anywhere(plan: &StateAnswer) -> u64 {
    let elsewhere = plan.others.iter().filter_map(|other| other.done()).map(|plan| cut(&plan.changes, &plan.moves));
    cut(&plan.changes, &plan.moves) + elsewhere.sum::<u64>()
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
