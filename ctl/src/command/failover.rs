//! `failover`: say what a move cuts, ask, move, say how it went.

use std::time::Duration;

use fmc_api::Client;
use fmc_api::command::{Failover as Request, FailoverAnswer, Move, MoveOutcome};

use super::confirm;
use crate::cli::Failover;
use crate::exit::Exit;
use crate::render::{self, Output};

/// A move waits for another node's advertisement, at most one interval, and the longest interval is 41 s.
const DEADLINE: Duration = Duration::from_secs(60);

pub(super) async fn run(client: &Client, asked: &Failover, output: &mut Output) -> anyhow::Result<Exit> {
    let client = client.clone().with_deadline(DEADLINE);
    let plan = client.failover(&request(asked, true)).await?;
    if asked.dry_run || !any_moves(&plan.moves) {
        output.answer(&plan, render::moves::answer)?;
        return Ok(exit(&plan));
    }
    output.say(&plan, render::moves::answer)?;
    if !confirm::go_on(cuts(&plan.moves) > 0, asked.yes, output)? {
        output.note("nothing was moved")?;
        return Ok(Exit::No);
    }
    let answer = client.failover(&request(asked, false)).await?;
    output.answer(&answer, render::moves::answer)?;
    Ok(exit(&answer))
}

fn request(asked: &Failover, dry_run: bool) -> Request {
    Request { vips: asked.vips.clone(), to: asked.to.clone(), dry_run }
}

/// Connections that the moves cut.
pub(super) fn cuts(moves: &[Move]) -> u64 {
    moves.iter().map(|one| one.connections_cut).sum()
}

/// Did, or would, every VIP move?
pub(super) fn all_move(moves: &[Move]) -> bool {
    moves.iter().all(|one| moves_away(&one.outcome))
}

fn any_moves(moves: &[Move]) -> bool {
    moves.iter().any(|one| moves_away(&one.outcome))
}

fn moves_away(outcome: &MoveOutcome) -> bool {
    match outcome {
        MoveOutcome::Moved { .. } | MoveOutcome::WouldMove => true,
        MoveOutcome::NobodyCame { .. } | MoveOutcome::Refused { .. } => false,
    }
}

fn exit(answer: &FailoverAnswer) -> Exit {
    // A node that was to move its VIPs and was not reached has not moved them.
    if all_move(&answer.moves) && answer.others.is_empty() { Exit::Done } else { Exit::No }
}
