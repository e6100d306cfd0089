//! `GET /v1/history`: the cells of the history as lists that a chart can draw.

use fmc_api::history::{FrontendHistory, HistoryList, ServerHistory};
use fmc_config::model::backend::Backend;
use fmc_config::model::name::{FrontendName, ServerName};

use super::now;
use crate::history::CELL;
use crate::proxy::appliance::Appliance;

/// Everything that is kept.
pub(crate) fn list(appliance: &Appliance) -> HistoryList {
    let frontends = appliance.config.frontends.iter().map(|frontend| frontend_history(appliance, &frontend.name));
    let servers =
        appliance.config.backends.iter().flat_map(|backend| {
            backend.servers.iter().map(move |server| server_history(appliance, backend, &server.name))
        });
    HistoryList {
        now: now(),
        node: appliance.node.name.clone(),
        interval_ms: CELL.as_millis() as u64,
        frontends: frontends.collect(),
        servers: servers.collect(),
    }
}

fn frontend_history(appliance: &Appliance, name: &FrontendName) -> FrontendHistory {
    let cells = appliance.history.of_frontend(name);
    FrontendHistory {
        name: name.clone(),
        accepted: cells.clone().map(|cell| cell.accepted).collect(),
        open: cells.clone().map(|cell| cell.open).collect(),
        relayed_bytes: cells.map(|cell| cell.relayed_bytes).collect(),
    }
}

fn server_history(appliance: &Appliance, backend: &Backend, name: &ServerName) -> ServerHistory {
    let cells = appliance.history.of_server(&backend.name, name);
    let connect_ms = cells.clone().map(|cell| cell.connect_time.map(|took| took.as_secs_f64() * 1000.0));
    ServerHistory {
        backend: backend.name.clone(),
        name: name.clone(),
        seen: cells.clone().map(|cell| cell.seen).collect(),
        connections: cells.clone().map(|cell| cell.connections).collect(),
        connect_ms: connect_ms.collect(),
    }
}
