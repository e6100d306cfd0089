//! Asks the lab what it is like from here: a probe a file, all at once up to a bound, each with a deadline.

mod arp;
mod clock;
mod database;
mod names;
mod nfs;
mod owner;
mod port;
mod routes;
mod sntp;
mod tls;
mod vantage;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use fmc_provision::verify::{Expectation, Seen, What};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub(crate) use tls::Authority;
pub(crate) use vantage::{own, sources};

/// Probes under way at once; the others wait. Most of what a probe does is waiting for an answer that must not come.
const AT_ONCE: usize = 128;

/// With what is asked.
pub(crate) struct Means {
    /// How long an answer is waited for.
    pub(crate) patience: Duration,
    /// The CA of the cluster.
    pub(crate) authority: Option<Authority>,
    /// The URL of the API in the kubeconfig.
    pub(crate) api: Option<String>,
}

/// What was seen of each, in the same order.
pub(crate) async fn observe(expectations: &[Expectation], means: Means) -> Vec<Seen> {
    let (room, means) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(means));
    let mut probes = JoinSet::new();
    for (at, Expectation { what, unjudged, .. }) in expectations.iter().enumerate() {
        let (what, unjudged, room, means) = (what.clone(), unjudged.clone(), Arc::clone(&room), Arc::clone(&means));
        probes.spawn(async move {
            let Ok(_place) = room.acquire().await else { return (at, Seen::Unasked("interrupted".to_owned())) };
            let seen = match unjudged {
                Some(why) => Seen::Unasked(why),
                None => look(&what, &means).await,
            };
            (at, seen)
        });
    }
    let mut seen = probes.join_all().await;
    seen.sort_by_key(|(at, _)| *at);
    seen.into_iter().map(|(_, seen)| seen).collect()
}

async fn look(what: &What, means: &Means) -> Seen {
    let patience = means.patience;
    match what {
        What::Port { to, .. } => Seen::Port(port::look(*to, patience).await),
        What::Owner { address, .. } => owner::look(*address, patience).await,
        What::Name { server, name, .. } => names::look(*server, name, patience).await,
        What::Reverse { server, address, .. } => names::look_back(*server, *address, patience).await,
        What::Clock { server } => clock::look(*server, patience).await,
        What::Route { to, .. } => routes::look(*to),
        What::Api { at } => tls::trusted(*at, means).await,
        What::Certificate { at, name } => tls::lifetime(*at, name.as_deref(), patience).await,
        What::Export { server, path, .. } => nfs::look(*server, path, patience).await,
        What::Database { server, database, .. } => database::look(*server, database.as_str(), patience).await,
    }
}

/// Runs a question to its end or its deadline.
async fn within<T>(patience: Duration, question: impl Future<Output = std::io::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(patience, question).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("nothing comes back".to_owned()),
    }
}

/// Any address and port, for the kernel to choose.
const ANY: (Ipv4Addr, u16) = (Ipv4Addr::UNSPECIFIED, 0);
