//! `sessions`: who is connected to what.

use std::time::Duration;

use fmc_api::Client;
use fmc_api::sessions::SessionQuery;
use fmc_api::word::SessionOrder;

use crate::cli::Sessions;
use crate::exit::Exit;
use crate::render::{self, Output};

pub(super) async fn run(client: &Client, asked: &Sessions, output: &mut Output) -> anyhow::Result<Exit> {
    let answer = client.sessions(&query(asked)).await?;
    output.answer(&answer, render::sessions::write)?;
    Ok(Exit::Done)
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn query(asked: &Sessions) -> SessionQuery {
    let Sessions { vip, frontend, backend, server, client, older_than, idle_for, sort, reverse, limit } = asked;
    SessionQuery {
        vip: vip.clone(),
        frontend: frontend.clone(),
        backend: backend.clone(),
        server: server.clone(),
        client: *client,
        older_than_ms: older_than.map(milliseconds),
        idle_for_ms: idle_for.map(milliseconds),
        // What the daemon does anyway is not asked for: an older one knows no order.
        order: (*sort != SessionOrder::Age).then_some(*sort),
        reverse: reverse.then_some(true),
        limit: *limit,
    }
}
