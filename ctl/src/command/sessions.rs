//! `sessions`: who is connected to what.

use fmc_api::Client;
use fmc_api::sessions::SessionQuery;

use crate::cli::Sessions;
use crate::exit::Exit;
use crate::render::{self, Output};

pub(super) async fn run(client: &Client, asked: &Sessions, output: &mut Output) -> anyhow::Result<Exit> {
    let answer = client.sessions(&query(asked)).await?;
    output.answer(&answer, render::sessions::write)?;
    Ok(Exit::Done)
}

fn query(asked: &Sessions) -> SessionQuery {
    let Sessions { vip, frontend, backend, server, client, limit } = asked;
    SessionQuery {
        vip: vip.clone(),
        frontend: frontend.clone(),
        backend: backend.clone(),
        server: server.clone(),
        client: *client,
        limit: *limit,
    }
}
