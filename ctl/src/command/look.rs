//! `status`, `vips`, `backends`: one question, one answer.

use fmc_api::Client;

use crate::exit::Exit;
use crate::render::{self, Output};

pub(super) async fn status(client: &Client, output: &mut Output) -> anyhow::Result<Exit> {
    let answer = client.status().await?;
    output.answer(&answer, render::status::write)?;
    Ok(Exit::Done)
}

pub(super) async fn vips(client: &Client, output: &mut Output) -> anyhow::Result<Exit> {
    let answer = client.vips().await?;
    output.answer(&answer, render::vips::write)?;
    Ok(Exit::Done)
}

pub(super) async fn backends(client: &Client, output: &mut Output) -> anyhow::Result<Exit> {
    let answer = client.backends().await?;
    output.answer(&answer, render::backends::write)?;
    Ok(Exit::Done)
}
