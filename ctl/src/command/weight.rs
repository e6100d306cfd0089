//! `weight`: change a server's share of new connections.

use fmc_api::Client;
use fmc_api::command::SetWeight;

use crate::cli::Weight;
use crate::exit::Exit;
use crate::render::{self, Output, others};

pub(super) async fn run(client: &Client, asked: &Weight, output: &mut Output) -> anyhow::Result<Exit> {
    let request = SetWeight { target: asked.target.clone(), weight: asked.weight };
    let answer = client.set_weight(&request).await?;
    output.answer(&answer, render::change::weights)?;
    output.unsaved(answer.unsaved.as_deref())?;
    Ok(Exit::Done.and(others::all_agree(&answer.others)))
}
