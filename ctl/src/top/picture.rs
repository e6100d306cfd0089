//! What the daemon said last.

use fmc_api::backends::{BackendList, ServerStatus};
use fmc_api::client::ClientError;
use fmc_api::events::{Event, EventQuery};
use fmc_api::history::HistoryList;
use fmc_api::status::Status;
use fmc_api::{Client, Target};
use fmc_config::model::name::{FrontendName, VipName};

/// One look at a node.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) status: Status,
    pub(crate) backends: BackendList,
    pub(crate) history: HistoryList,
    /// Oldest first.
    pub(crate) events: Vec<Event>,
}

impl Picture {
    /// Asks the daemon for all of it.
    pub(crate) async fn take(client: &Client) -> Result<Self, ClientError> {
        Ok(Self {
            status: client.status().await?,
            backends: client.backends().await?,
            history: client.history().await?,
            events: client.events(EventQuery::default()).await?.events,
        })
    }

    /// The VIPs first, then the servers: as they stand below each other.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let vips = self.status.vips.iter().map(|vip| Row::Vip(vip.name.clone()));
        let servers = self.backends.backends.iter().flat_map(|backend| {
            let target = |server: &ServerStatus| Target::ServerOf(backend.name.clone(), server.name.clone());
            backend.servers.iter().map(move |server| Row::Server(target(server)))
        });
        vips.chain(servers).collect()
    }

    /// What a frontend has accepted each second, and the bytes that it relayed each second, of each cell of the history.
    pub(crate) fn rates(&self, frontend: &FrontendName) -> (Vec<u64>, Vec<u64>) {
        let found = self.history.frontends.iter().find(|known| known.name == *frontend);
        let a_second = |cells: &[u64]| cells.iter().map(|cell| cell * 1000 / self.history.interval_ms.max(1)).collect();
        found.map(|found| (a_second(&found.accepted), a_second(&found.relayed_bytes))).unwrap_or_default()
    }
}

/// Something that a key can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    Vip(VipName),
    Server(Target),
}
