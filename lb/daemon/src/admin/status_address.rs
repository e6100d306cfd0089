//! The TCP addresses of `[admin] listen` and `[admin.remote] listen`: bound before a configuration comes into force, served by a task each.
//!
//! At a start, and on the way back from a trial, one that cannot be served is an alarm and is tried again: VIPs and relays do not depend on
//! it.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use anyhow::{Context, Result};
use fmc_config::model::Config;
use fmc_config::model::node::Node;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::remote::Credentials;
use super::{Caller, pause, remote, spawn};
use crate::proxy::appliance::{Appliance, Shared};

/// What is served and what could not be.
#[derive(Debug)]
pub(crate) struct StatusAddresses {
    served: Vec<Served>,
    refused: Vec<String>,
    /// What remote administration is met with; `None`: nobody is.
    credentials: watch::Sender<Option<Rc<Credentials>>>,
}

impl Default for StatusAddresses {
    fn default() -> Self {
        Self { served: Vec::new(), refused: Vec::new(), credentials: watch::Sender::new(None) }
    }
}

/// Where, and what is spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// HTTP, to look.
    Status(SocketAddr),
    /// TLS, to look and to command.
    Remote(SocketAddr),
}

impl Door {
    const fn address(self) -> SocketAddr {
        match self {
            Self::Status(address) | Self::Remote(address) => address,
        }
    }
}

/// One that is served, until dropped.
#[derive(Debug)]
struct Served {
    door: Door,
    task: AbortHandle,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Made ready for a configuration that is not in force yet.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    listeners: Vec<(Door, TcpListener)>,
    /// `None`: not read yet, or not needed.
    credentials: Option<Rc<Credentials>>,
}

impl StatusAddresses {
    /// A sentence about each that cannot be served.
    pub(crate) fn refused(&self) -> &[String] {
        &self.refused
    }

    fn is_served(&self, door: Door) -> bool {
        self.served.iter().any(|served| served.door == door)
    }
}

/// Binds those of a configuration that are not served yet, and reads what remote administration needs.
///
/// # Errors
/// A sentence about the first that cannot be bound or read; then none is.
pub(crate) fn bind_new(config: &Config, node: &Node, appliance: &Appliance) -> Result<Bound> {
    let credentials = read_credentials(config)?;
    let new = wanted(config, node).filter(|door| !appliance.status.is_served(*door));
    let listeners: Result<Vec<_>> = new.map(|door| Ok((door, bind(door)?))).collect();
    Ok(Bound { listeners: listeners?, credentials })
}

/// Serves what is bound and what else the configuration in force names, and nothing more.
pub(crate) fn serve(bound: Bound, shared: &Shared) {
    let appliance = &mut *shared.borrow_mut();
    let wanted: Vec<Door> = wanted(&appliance.config, &appliance.node).collect();
    let Bound { mut listeners, credentials } = bound;
    appliance.status.served.retain(|served| wanted.contains(&served.door));
    appliance.status.refused.clear();
    renew(credentials, appliance);
    let status = &mut appliance.status;
    for door in wanted {
        if status.is_served(door) {
            continue;
        }
        let known = listeners.iter().position(|(known, _)| *known == door);
        match known.map_or_else(|| bind(door), |known| Ok(listeners.swap_remove(known).1)) {
            Ok(listener) => status.served.push(start(door, listener, status.credentials.subscribe(), shared)),
            Err(error) => status.refused.push(format!("{error:#}")),
        }
    }
}

/// Tries those again that could not be served.
pub(crate) fn try_again(shared: &Shared) {
    if !shared.borrow().status.refused.is_empty() {
        serve(Bound::default(), shared);
    }
}

/// Whoever comes from now on is met with the newest credentials; with those before, while the newest cannot be read.
fn renew(read: Option<Rc<Credentials>>, appliance: &mut Appliance) {
    let newest = read.map_or_else(|| read_credentials(&appliance.config), |read| Ok(Some(read)));
    match newest {
        Ok(newest) => drop(appliance.status.credentials.send_replace(newest)),
        Err(error) => appliance.status.refused.push(format!("{error:#}")),
    }
}

/// `None`: there is no remote administration.
fn read_credentials(config: &Config) -> Result<Option<Rc<Credentials>>> {
    let read = config.admin.remote.as_ref().map(|remote| Credentials::read(remote).map(Rc::new)).transpose();
    read.context("remote administration cannot be served")
}

fn wanted(config: &Config, node: &Node) -> impl Iterator<Item = Door> {
    let status = config.admin.listen.iter().map(|listen| Door::Status(listen.on(node.address)));
    let remote = config.admin.remote.iter().flat_map(|remote| &remote.listen);
    status.chain(remote.map(|listen| Door::Remote(listen.on(node.address))))
}

fn bind(door: Door) -> Result<TcpListener> {
    let listener = std::net::TcpListener::bind(door.address()).and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    listener.with_context(|| match door {
        Door::Status(address) => format!("the status page cannot be served at {address}"),
        Door::Remote(address) => format!("remote administration cannot be served at {address}"),
    })
}

fn start(
    door: Door,
    listener: TcpListener,
    credentials: watch::Receiver<Option<Rc<Credentials>>>,
    shared: &Shared,
) -> Served {
    let shared = shared.clone();
    let task = match door {
        Door::Status(address) => {
            tracing::info!("status page at http://{address}/");
            tokio::task::spawn_local(serve_status(listener, shared))
        }
        Door::Remote(address) => {
            tracing::info!("remote administration at https://{address}/");
            tokio::task::spawn_local(remote::serve(listener, credentials, shared))
        }
    };
    Served { door, task: task.abort_handle() }
}

/// Serves one for ever, to loopback and to the allow list.
async fn serve_status(listener: TcpListener, shared: Shared) {
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

pub(super) fn may_read(client: IpAddr, allow: &[IpNet]) -> bool {
    client.is_loopback() || allow.iter().any(|net| net.contains(&client))
}
