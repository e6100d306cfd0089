//! `explain`: the sentence behind what `status` and `backends` show.

use fmc_api::Client;

use crate::cli::Explain;
use crate::exit::Exit;
use crate::render::{self, Output};

pub(super) async fn run(client: &Client, asked: &Explain, output: &mut Output) -> anyhow::Result<Exit> {
    match asked {
        Explain::Vip { name } => output.answer(&client.explain_vip(name).await?, render::explain::vip)?,
        Explain::Backend { name } => output.answer(&client.explain_backend(name).await?, render::explain::backend)?,
    }
    Ok(Exit::Done)
}
