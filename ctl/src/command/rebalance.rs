//! `rebalance`: say what is closed, ask, close, say how even it is.

use std::time::Duration;

use fmc_api::Client;
use fmc_api::rebalance::{Rebalance as Request, RebalanceAnswer, RebalanceOutcome};

use super::confirm;
use crate::cli::Rebalance;
use crate::exit::Exit;
use crate::render::{self, Output};

/// A run ends after five minutes at most; interrupting this tool ends it at once.
const DEADLINE: Duration = Duration::from_secs(320);

pub(super) async fn run(client: &Client, asked: &Rebalance, output: &mut Output) -> anyhow::Result<Exit> {
    let client = client.clone().with_deadline(DEADLINE);
    let plan = client.rebalance(&request(asked, true)).await?;
    if asked.dry_run || !matches!(plan.outcome, RebalanceOutcome::WouldClose { .. }) {
        output.answer(&plan, render::rebalance::answer)?;
        return Ok(exit(&plan));
    }
    output.say(&plan, render::rebalance::answer)?;
    if !confirm::go_on(true, asked.yes, output)? {
        output.note("nothing was closed")?;
        return Ok(Exit::No);
    }
    let answer = client.rebalance(&request(asked, false)).await?;
    output.answer(&answer, render::rebalance::answer)?;
    Ok(exit(&answer))
}

fn request(asked: &Rebalance, dry_run: bool) -> Request {
    let idle_ms = u64::try_from(asked.idle.as_millis()).unwrap_or(u64::MAX);
    Request { backend: asked.backend.clone(), idle_ms, per_second: asked.rate, dry_run }
}

fn exit(answer: &RebalanceAnswer) -> Exit {
    match answer.outcome {
        RebalanceOutcome::Even | RebalanceOutcome::WouldClose { .. } | RebalanceOutcome::Evened { .. } => Exit::Done,
        RebalanceOutcome::StillUneven { .. } => Exit::No,
    }
}
