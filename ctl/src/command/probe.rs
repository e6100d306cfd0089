//! `probe`: one health check, step by step.

use fmc_api::Client;
use fmc_api::probe::Probe;
use fmc_config::model::name::{BackendName, ServerName};

use crate::exit::Exit;
use crate::render::{self, Output};

pub(super) async fn run(
    client: &Client,
    backend: &BackendName,
    server: &ServerName,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let answer = client.probe(&Probe { backend: backend.clone(), server: server.clone() }).await?;
    output.answer(&answer, render::probe::write)?;
    Ok(if answer.passed { Exit::Done } else { Exit::No })
}
