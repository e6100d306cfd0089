//! A new configuration, put in force. Everything that could fail has been done: each part takes it over, and none can refuse.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use fmc_api::Moment;
use fmc_api::events::EventKind;
use fmc_api::word::{AdminState, Severity};
use fmc_config::model::Config;
use fmc_config::model::name::{BackendName, ServerName, VipName};
use fmc_config::model::node::Node;
use fmc_health::{ServerStatus, Verdict};
use fmc_lb::{AgentWish, Health, Member, Prepared, Snapshot};
use fmc_vrrp::driver::KeeperSettings;
use tokio::net::TcpListener;

use super::{health, operator, tell_fitness};
use crate::admin::status_address;
use crate::message::Word;
use crate::pair::channel;
use crate::proxy::appliance::{Appliance, Shared, VipState};
use crate::proxy::metrics;
use crate::state_dir::StateDir;
use crate::text_file;

/// A configuration of which every part is prepared.
pub(crate) struct Next {
    pub(crate) config: Config,
    pub(crate) text: Rc<str>,
    pub(crate) node: Node,
    pub(crate) settings: KeeperSettings,
    pub(crate) data_plane: Prepared,
}

/// What is bound for it beside the frontends' ports.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    pub(crate) status: status_address::Bound,
    pub(crate) pair: Option<TcpListener>,
}

impl Doors {
    /// Errors: one of them is taken; then none is bound.
    pub(crate) fn bind(
        config: &Config,
        node: &Node,
        settings: &KeeperSettings,
        appliance: &Appliance,
    ) -> anyhow::Result<Self> {
        let status = status_address::bind_new(config, node, appliance)?;
        Ok(Self { status, pair: channel::bind_new(settings, appliance)? })
    }

    /// Opened once what they serve is in force.
    pub(crate) fn open(self, shared: &Shared) {
        status_address::serve(self.status, shared);
        channel::renew(self.pair, shared);
    }
}

/// Puts it in force, until this proxy ends: [`remember`] lets it outlive it.
pub(crate) fn commit(next: Next, appliance: &mut Appliance) {
    let Next { config, text, node, settings, data_plane } = next;
    appliance.text = text;
    appliance.node = node;
    appliance.config_hash = settings.config_hash;
    appliance.configured_at = Moment::from(SystemTime::now());
    appliance.in_force_since = Instant::now();
    appliance.config = config;
    appliance.resolution.reconfigure(&appliance.config, Instant::now());
    drop_what_is_stale(appliance);
    appliance.checker.reconfigure(&appliance.config.backends);
    appliance.agents.reconfigure(&appliance.config.backends);
    forget_agents(appliance);
    serve(data_plane, appliance);
    attend(appliance);
    own(appliance);
    appliance.keeper.configure(settings);
    tell_fitness(appliance);
}

/// The same configuration with other servers behind its names. No listener, no address and no election has to do with it.
pub(crate) fn take_servers(config: Config, appliance: &mut Appliance) {
    appliance.config = config;
    appliance.checker.reconfigure(&appliance.config.backends);
    appliance.agents.reconfigure(&appliance.config.backends);
    forget_agents(appliance);
    let checked = appliance.checker.status();
    appliance.data_plane.change_servers(&appliance.config.backends, |backend, snapshot| {
        adjust(backend, snapshot, &checked, appliance);
    });
    attend(appliance);
    tell_fitness(appliance);
}

/// Lets what is in force outlive this proxy and, if it came `from_elsewhere` than the file of the service, the service too.
/// `Some`: why a restarted proxy would come back with the one before.
pub(crate) fn remember(from_elsewhere: bool, appliance: &mut Appliance) -> Option<String> {
    let unsaved = hand_over(appliance).err().map(|error| format!("{error:#}"));
    appliance.by_last_good = false;
    keep(appliance);
    // An unreadable file is root's alone: then nobody can tell, and the file counts at the next start.
    let in_file = from_elsewhere.then(|| std::fs::read_to_string(&appliance.file).ok()).flatten();
    let in_file = in_file.filter(|in_file| **in_file != *appliance.text);
    appliance.ahead_of_file = in_file.is_some();
    let record = in_file.map_or_else(String::new, |in_file| StateDir::applied_record(&appliance.text, &in_file));
    drop(appliance.applied_saver.save(record));
    unsaved
}

/// Gives the supervisor the text that every proxy after this one starts with.
fn hand_over(appliance: &Appliance) -> anyhow::Result<()> {
    let file = text_file::in_memory(&appliance.text)?;
    Ok(appliance.supervisor.send_with(&Word::Configuration, file.as_fd())?)
}

/// Has it kept for a start that finds the file wrong. Nobody waits for the disk; one that takes no write is an alarm.
pub(crate) fn keep(appliance: &Appliance) {
    drop(appliance.last_good_saver.save(appliance.text.to_string()));
}

/// What operators asked of servers that the configuration speaks of anew: it wins, and says so.
fn drop_what_is_stale(appliance: &mut Appliance) {
    let stale = appliance.administrative.reconcile(&appliance.config);
    for dropped in &stale {
        appliance.note(Severity::Warning, EventKind::Command, Some(dropped.of.to_string()), dropped.text.clone());
    }
    if !stale.is_empty() {
        // An answer does not wait for it: what is dropped is dropped again by the next start.
        operator::save(appliance);
    }
}

/// Whoever has no agent any more wants nothing any more.
fn forget_agents(appliance: &mut Appliance) {
    let has_agent = |backend: &BackendName, server: &ServerName| {
        let known = appliance.config.backends.iter().find(|known| known.name == *backend && known.agent.is_some());
        known.is_some_and(|known| known.servers.iter().any(|other| other.name == *server))
    };
    appliance.said.retain(|(backend, server), _| has_agent(backend, server));
}

/// Listeners, frontends and pools, with what operators ask of the servers and what their checks know.
fn serve(data_plane: Prepared, appliance: &Appliance) {
    let checked = appliance.checker.status();
    appliance.data_plane.commit(data_plane, |backend, snapshot| adjust(backend, snapshot, &checked, appliance));
}

fn adjust(backend: &BackendName, snapshot: &mut Snapshot, checked: &[ServerStatus], appliance: &Appliance) {
    for member in &mut snapshot.members {
        let name = member.server.name().clone();
        let standing = appliance.administrative.server(backend, &name);
        let state = standing.and_then(|standing| standing.state()).unwrap_or(AdminState::Ready);
        member.administrative = operator::in_pool(state);
        if let Some(weight) = standing.and_then(|standing| standing.weight()) {
            member.weight = weight;
        }
        if !appliance.said.contains_key(&(backend.clone(), name.clone())) {
            member.agent = AgentWish::default();
        }
        learn(member, checked.iter().find(|known| known.backend == *backend && known.server == name));
    }
}

/// A server that is new here may be known by the check of another backend that it follows.
fn learn(member: &mut Member, known: Option<&ServerStatus>) {
    if let Some(known) = known.filter(|known| member.health == Health::Unknown && known.verdict != Verdict::Unknown) {
        member.health = health(known.verdict);
    }
}

/// Servers in maintenance are not asked, all others are.
fn attend(appliance: &Appliance) {
    for backend in &appliance.config.backends {
        for server in &backend.servers {
            let standing = appliance.administrative.server(&backend.name, &server.name);
            if standing.and_then(|standing| standing.state()) == Some(AdminState::Maint) {
                appliance.checker.pause(&backend.name, &server.name);
            } else if appliance.checker.is_paused(&backend.name, &server.name) {
                appliance.checker.resume(&backend.name, &server.name);
            }
        }
    }
}

/// The VIPs of the configuration: those that stay keep their state, those that go take their relays along in a while.
fn own(appliance: &mut Appliance) {
    let now = Moment::from(SystemTime::now());
    let mut before = std::mem::take(&mut appliance.vips);
    for vip in &appliance.config.vips {
        let known = before.iter().position(|known| known.vip.name == vip.name && known.vip.address == vip.address);
        let state = match known.map(|known| before.swap_remove(known)) {
            Some(known) => VipState { vip: vip.clone(), ..known },
            None => VipState::new(vip.clone(), now),
        };
        appliance.vips.push(state);
    }
    let stays = |name: &VipName| appliance.vips.iter().any(|kept| kept.vip.name == *name);
    before.iter().filter(|gone| !stays(&gone.vip.name)).for_each(|gone| metrics::forget(&gone.vip.name));
    let gone: Vec<IpAddr> = before.iter().map(|state| state.vip.address).collect();
    for mut state in before {
        let why = "the configuration has no such VIP any more".to_owned();
        state.settle(|_| fmc_api::command::MoveOutcome::Refused { why: why.clone() });
    }
    let is_back = |address: &IpAddr| appliance.vips.iter().any(|state| state.vip.address == *address);
    appliance.leaving.retain(|(address, _)| !is_back(address));
    appliance
        .leaving
        .extend(gone.into_iter().filter(|address| !is_back(address)).map(|address| (address, Instant::now())));
}
