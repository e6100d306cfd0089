//! The TCP addresses of `[admin] listen`: bound before a configuration comes into force, served by a task each.
//!
//! At a start, and on the way back from a trial, one that cannot be bound is an alarm and is tried again: VIPs and relays do not depend on it.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use anyhow::{Context, Result};
use fmc_config::model::Config;
use fmc_config::model::node::Node;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::{Caller, pause, spawn};
use crate::proxy::appliance::{Appliance, Shared};

/// What is served and what could not be.
#[derive(Debug, Default)]
pub(crate) struct StatusAddresses {
    served: Vec<Served>,
    refused: Vec<String>,
}

/// One that is served, until dropped.
#[derive(Debug)]
struct Served {
    address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Bound, and not served yet.
pub(crate) type Bound = (SocketAddr, TcpListener);

impl StatusAddresses {
    /// A sentence about each that cannot be bound.
    pub(crate) fn refused(&self) -> &[String] {
        &self.refused
    }

    fn is_served(&self, address: SocketAddr) -> bool {
        self.served.iter().any(|served| served.address == address)
    }
}

/// Binds those of a configuration that are not served yet.
///
/// # Errors
/// A sentence about the first that cannot be bound; then none is.
pub(crate) fn bind_new(config: &Config, node: &Node, appliance: &Appliance) -> Result<Vec<Bound>> {
    let new = wanted(config, node).filter(|address| !appliance.status.is_served(*address));
    new.map(|address| Ok((address, bind(address)?))).collect()
}

/// Serves what is bound and what else the configuration in force names, and nothing more.
pub(crate) fn serve(mut bound: Vec<Bound>, shared: &Shared) {
    let appliance = &mut *shared.borrow_mut();
    let wanted: Vec<SocketAddr> = wanted(&appliance.config, &appliance.node).collect();
    let status = &mut appliance.status;
    status.served.retain(|served| wanted.contains(&served.address));
    status.refused.clear();
    for address in wanted {
        if status.is_served(address) {
            continue;
        }
        let known = bound.iter().position(|(known, _)| *known == address);
        match known.map_or_else(|| bind(address), |known| Ok(bound.swap_remove(known).1)) {
            Ok(listener) => status.served.push(start(address, listener, shared)),
            Err(error) => status.refused.push(format!("{error:#}")),
        }
    }
}

/// Tries those again that could not be bound.
pub(crate) fn try_again(shared: &Shared) {
    if !shared.borrow().status.refused.is_empty() {
        serve(Vec::new(), shared);
    }
}

fn wanted(config: &Config, node: &Node) -> impl Iterator<Item = SocketAddr> {
    config.admin.listen.iter().map(|listen| listen.on(node.address))
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    listener.with_context(|| format!("the status page cannot be served at {address}"))
}

fn start(address: SocketAddr, listener: TcpListener, shared: &Shared) -> Served {
    tracing::info!("status page at http://{address}/");
    Served { address, task: tokio::task::spawn_local(serve_one(listener, shared.clone())).abort_handle() }
}

/// Serves one for ever, to loopback and to the allow list.
async fn serve_one(listener: TcpListener, shared: Shared) {
    let open = Rc::new(());
    loop {
        match listener.accept().await {
            Ok((stream, client)) if may_read(client.ip(), &shared.borrow().config.admin.allow) => {
                spawn(stream, Caller::Network, &shared, &open);
            }
            Ok((_, client)) => tracing::debug!(%client, "not in [admin] allow"),
            Err(error) => pause("status address", &error).await,
        }
    }
}

fn may_read(client: IpAddr, allow: &[IpNet]) -> bool {
    client.is_loopback() || allow.iter().any(|net| net.contains(&client))
}
