//! The channel as the control thread has it: its listening end, the way to each other node, and what each last said.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use fmc_api::pair::{Opinion, PairReport};
use fmc_config::model::name::{BackendName, NodeName, ServerName};
use fmc_vrrp::driver::KeeperSettings;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::call::Line;
use super::identity::Identity;
use super::listen::{self, Listening};
use super::watch;
use crate::proxy::appliance::{Appliance, Shared};

/// A report older than this says nothing of the present.
const FRESH: Duration = Duration::from_secs(4);

/// The channel of this node; empty while the pair has no key.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    /// What it was made from.
    made_from: Option<KeeperSettings>,
    listening: Option<Listening>,
    others: Vec<Other>,
    /// Why there is none, although there is a key.
    failed: Option<String>,
}

/// Another node, over the channel.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) line: Line,
    pub(crate) said: Option<Said>,
    /// Why the last look at it was in vain.
    pub(crate) trouble: Option<String>,
    watcher: AbortHandle,
}

/// What it said, and when that arrived.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) at: Instant,
    pub(crate) report: PairReport,
}

impl Drop for Other {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl Channel {
    /// Why there is none, although the pair has a key; it is tried again ([`try_again`]).
    pub(crate) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// The ways to all other nodes.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.others.iter().map(|other| &other.line)
    }

    /// The way to one.
    pub(crate) fn line(&self, node: &NodeName) -> Option<&Line> {
        self.lines().find(|line| line.node == *node)
    }

    pub(super) fn other_mut(&mut self, node: &NodeName) -> Option<&mut Other> {
        self.others.iter_mut().find(|other| other.line.node == *node)
    }

    /// Why commands do not reach a node; `None`: they do, or nobody has tried yet.
    pub(crate) fn trouble(&self, node: &NodeName) -> Option<&str> {
        self.others.iter().find(|other| other.line.node == *node)?.trouble.as_deref()
    }

    /// What is known of a node, unless it is too old to mean anything.
    pub(crate) fn heard(&self, node: &NodeName) -> Option<&Said> {
        self.others.iter().find(|other| other.line.node == *node)?.fresh()
    }

    /// What each node that is heard last said of itself.
    pub(crate) fn reports(&self) -> impl Iterator<Item = &PairReport> {
        self.others.iter().filter_map(Other::fresh).map(|said| &said.report)
    }

    /// What each node that is heard thinks of a server, and how old that is.
    pub(crate) fn opinions<'a>(
        &'a self,
        backend: &'a BackendName,
        server: &'a ServerName,
    ) -> impl Iterator<Item = (&'a NodeName, &'a Opinion, Duration)> {
        self.others.iter().filter_map(|other| {
            let said = other.fresh()?;
            let is_it = |opinion: &&Opinion| opinion.backend == *backend && opinion.server == *server;
            let opinion = said.report.servers.iter().find(is_it)?;
            Some((&other.line.node, opinion, said.at.elapsed()))
        })
    }
}

impl Other {
    fn fresh(&self) -> Option<&Said> {
        self.said.as_ref().filter(|said| said.at.elapsed() < FRESH)
    }
}

/// Binds the port of `settings`, unless it is served already or there is nobody to serve.
///
/// # Errors
/// It is taken, or the key file is not as it should be.
pub(crate) fn bind_new(settings: &KeeperSettings, appliance: &Appliance) -> Result<Option<TcpListener>> {
    let names: Vec<NodeName> = settings.peers.iter().map(|peer| peer.name.clone()).collect();
    let address = address_of(settings);
    let is_served = appliance.channel.listening.as_ref().is_some_and(|listening| listening.address == address);
    if names.is_empty() || is_served || Identity::new(&settings.keys, &settings.node, &names)?.is_none() {
        return Ok(None);
    }
    listen::bind(address).map(Some)
}

/// Makes the channel what the configuration says, with a listener that may be `bound` already; one that says the same is left alone.
pub(crate) fn renew(bound: Option<TcpListener>, shared: &Shared) {
    let settings = shared.borrow().keeper.settings();
    if shared.borrow().channel.made_from.as_ref().is_some_and(|before| is_same(before, &settings)) {
        return;
    }
    let before = std::mem::take(&mut shared.borrow_mut().channel);
    let made = make(&settings, before.others, shared).and_then(|(identity, others)| {
        let listening = listen(&settings, identity, before.listening, bound, shared)?;
        Ok(Channel { made_from: Some(settings), listening, others, failed: None })
    });
    let channel = made.unwrap_or_else(|error| Channel { failed: Some(format!("{error:#}")), ..Channel::default() });
    shared.borrow_mut().channel = channel;
}

/// Tries once more what has failed.
pub(crate) fn try_again(shared: &Shared) {
    if shared.borrow().channel.failed.is_some() {
        renew(None, shared);
    }
}

/// What concerns the channel is the same.
fn is_same(before: &KeeperSettings, next: &KeeperSettings) -> bool {
    let of = |settings: &KeeperSettings| {
        (settings.address, settings.pair_port, settings.keys.clone(), settings.peers.clone())
    };
    of(before) == of(next)
}

/// This node's identity, and the ways to the others with somebody who looks at each; nothing without a key.
fn make(settings: &KeeperSettings, mut before: Vec<Other>, shared: &Shared) -> Result<(Option<Identity>, Vec<Other>)> {
    let names: Vec<NodeName> = settings.peers.iter().map(|peer| peer.name.clone()).collect();
    let Some(identity) = Identity::new(&settings.keys, &settings.node, &names)? else { return Ok((None, Vec::new())) };
    let mut others = Vec::new();
    for peer in &settings.peers {
        let line = Line {
            node: peer.name.clone(),
            to: SocketAddr::new(peer.address, settings.pair_port.get()),
            from: settings.address,
            tls: Arc::new(identity.client(&peer.name)?),
        };
        let watcher = tokio::task::spawn_local(watch::watch(line.clone(), shared.clone())).abort_handle();
        // What is known of a node stays known, whichever key it is met with.
        let said = before.iter_mut().find(|other| other.line.node == peer.name).and_then(|other| other.said.take());
        others.push(Other { line, said, trouble: None, watcher });
    }
    Ok((Some(identity), others))
}

/// The listening end: the one before, if it is at the same address. A node without others, or without a key, has none.
fn listen(
    settings: &KeeperSettings,
    identity: Option<Identity>,
    before: Option<Listening>,
    bound: Option<TcpListener>,
    shared: &Shared,
) -> Result<Option<Listening>> {
    let Some(identity) = identity.filter(|_| !settings.peers.is_empty()) else { return Ok(None) };
    let address = address_of(settings);
    match before.filter(|before| before.address == address) {
        Some(before) => {
            before.retune(identity)?;
            Ok(Some(before))
        }
        None => Listening::start(address, identity, bound, shared).map(Some),
    }
}

fn address_of(settings: &KeeperSettings) -> SocketAddr {
    SocketAddr::new(settings.address, settings.pair_port.get())
}
