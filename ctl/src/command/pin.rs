//! `pin`: no address fails back for a while.

use std::time::Duration;

use fmc_api::Client;
use fmc_api::command::Pin;

use crate::exit::Exit;
use crate::render::{self, Output, others};

pub(super) async fn run(client: &Client, duration: Duration, output: &mut Output) -> anyhow::Result<Exit> {
    let for_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let answer = client.pin(Pin { for_ms, all_nodes: false }).await?;
    output.answer(&answer, render::change::pinned)?;
    output.unsaved(answer.unsaved.as_deref())?;
    Ok(Exit::Done.and(others::all_agree(&answer.others)))
}
