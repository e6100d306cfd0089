//! `confirm`, `rollback`, `save`: the end of a trial, and the file after it.

use fmc_api::Client;

use super::configure::{DEADLINE, install_here};
use crate::exit::Exit;
use crate::render::{self, Output, others};

/// What is on trial stays, and the file of this node says so.
pub(super) async fn confirm(client: &Client, output: &mut Output) -> anyhow::Result<Exit> {
    let answer = client.clone().with_deadline(DEADLINE).confirm().await?;
    output.answer(&answer, render::configure::confirmed)?;
    install_here(client, output).await?;
    // One that is not reached learns it from the others, but may not before its trial ends.
    Ok(Exit::Done.and(others::all_done(&answer.others)))
}

pub(super) async fn rollback(client: &Client, output: &mut Output) -> anyhow::Result<Exit> {
    let answer = client.clone().with_deadline(DEADLINE).rollback().await?;
    output.answer(&answer, render::configure::rolled_back)?;
    Ok(Exit::Done.and(others::all_agree(&answer.others)))
}

pub(super) async fn save(client: &Client, output: &mut Output) -> anyhow::Result<Exit> {
    install_here(client, output).await?;
    Ok(Exit::Done)
}
