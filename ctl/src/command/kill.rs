//! `kill`: end one connection.

use fmc_api::Client;
use fmc_api::command::Kill;
use fmc_api::sessions::SessionId;

use crate::exit::Exit;
use crate::render::{self, Output};

pub(super) async fn run(client: &Client, session: SessionId, output: &mut Output) -> anyhow::Result<Exit> {
    let answer = client.kill(Kill { session }).await?;
    output.answer(&answer, render::change::killed)?;
    Ok(Exit::Done)
}
