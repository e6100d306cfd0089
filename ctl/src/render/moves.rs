//! Planned moves of VIPs: what they will cut, and how they went.

use std::time::Duration;

use fmc_api::command::{FailoverAnswer, Move, MoveOutcome};

use super::fact::{connections, owner};
use super::others;
use super::paint::Paint;
use crate::span::Span;

/// What will be moved and cut, or what was.
pub(crate) fn answer(answer: &FailoverAnswer, paint: Paint) -> String {
    if answer.moves.is_empty() && answer.others.is_empty() {
        return "this node owns no VIP: nothing to move\n".to_owned();
    }
    lines(&answer.moves, paint) + &others::lines(&answer.others, paint, |_| None)
}

/// A line for each VIP.
pub(super) fn lines(moves: &[Move], paint: Paint) -> String {
    moves.iter().map(|one| line(one, paint)).collect()
}

fn line(one: &Move, paint: Paint) -> String {
    let vip = format!("{} {}", one.vip, one.address);
    let to = |otherwise: &str| one.to.as_ref().map_or_else(|| otherwise.to_owned(), ToString::to_string);
    let cut = connections(one.connections_cut);
    match &one.outcome {
        MoveOutcome::WouldMove => {
            let cut = if one.connections_cut > 0 { paint.warn(&cut) } else { cut };
            format!(
                "{vip} will move from {} to {}, which cuts {cut}\n",
                owner(&one.from, paint),
                to("the best other node")
            )
        }
        MoveOutcome::Moved { took_ms } => {
            let took = Span(Duration::from_millis(*took_ms));
            format!("{vip} {} to {} in {took}; {cut} cut\n", paint.good("moved"), to("another node"))
        }
        MoveOutcome::NobodyCame { waited_ms } => {
            let waited = Span(Duration::from_millis(*waited_ms));
            format!("{vip} {}: nobody took it within {waited}, so this node serves on\n", paint.bad("stayed"))
        }
        MoveOutcome::Refused { why } => format!("{vip} {}: {why}\n", paint.bad("does not move")),
    }
}
