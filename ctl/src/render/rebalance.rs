//! What a rebalance closes, or closed.

use std::time::Duration;

use fmc_api::rebalance::{RebalanceAnswer, RebalanceOutcome, ServerShare};

use super::fact::connections;
use super::paint::Paint;
use super::table::{Cell, table};
use crate::span::Span;

/// A line for each server, and how it went.
pub(crate) fn answer(answer: &RebalanceAnswer, paint: Paint) -> String {
    let closed = if answer.dry_run { "WOULD CLOSE" } else { "CLOSED" };
    let after = if answer.dry_run { "IDLE" } else { "NOW" };
    let row = |server: &ServerShare| {
        let last = if answer.dry_run { server.idle } else { server.connections_after };
        [
            Cell::left(format!("{}/{}", answer.backend, server.name)),
            Cell::right(server.weight),
            Cell::right(server.connections),
            Cell::right(server.limit),
            Cell::right(server.closed),
            Cell::right(last),
        ]
    };
    let rows = answer.servers.iter().map(row).collect();
    table(["SERVER", "WEIGHT", "OPEN", "AT MOST", closed, after], rows, paint) + &outcome(answer, paint)
}

fn outcome(answer: &RebalanceAnswer, paint: Paint) -> String {
    let backend = &answer.backend;
    let closed = connections(answer.servers.iter().map(|server| server.closed).sum());
    match &answer.outcome {
        RebalanceOutcome::Even => {
            format!("{backend} is even: no server has over 20 % more than its share\n")
        }
        RebalanceOutcome::WouldClose { takes_ms } => {
            let takes = Span(Duration::from_millis(*takes_ms));
            format!("{backend}: {} would be closed within {takes}\n", paint.warn(&format!("{closed} that are idle")))
        }
        RebalanceOutcome::Evened { took_ms } => {
            let took = Span(Duration::from_millis(*took_ms));
            format!("{backend} is {}: {closed} closed in {took}\n", paint.good("even"))
        }
        RebalanceOutcome::StillUneven { over, why } => {
            let uneven = paint.bad("still uneven");
            format!("{backend} is {uneven}: {closed} closed, {} over; {why}\n", connections(*over))
        }
    }
}
