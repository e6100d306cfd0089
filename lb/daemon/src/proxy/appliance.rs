//! Everything the control thread knows: what admin answers read, and what the wiring writes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fmc_api::Moment;
use fmc_api::command::MoveOutcome;
use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_config::model::Config;
use fmc_config::model::name::{BackendName, NodeName, ServerName, VipName};
use fmc_config::model::node::Node;
use fmc_config::model::vip::Vip;
use fmc_health::{AgentWords, Agents, Checker};
use fmc_lb::Handle as DataPlaneHandle;
use fmc_lb::metrics::Ledger;
use fmc_vrrp::driver::{Change, Snapshot};
use fmc_vrrp::router::role::Role;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::oneshot;

use super::link::KeeperLink;
use super::loop_pulse::LoopPulse;
use super::saver::Saver;
use crate::admin::status_address::StatusAddresses;
use crate::administrative::{Administrative, Stamp};
use crate::event_log::EventLog;
use crate::failover_history::FailoverHistory;
use crate::fitness::{Judgement, Scarce};
use crate::history::History;
use crate::lifeline::Lifeline;
use crate::log::Unwritten;
use crate::memory_budget::MemoryBudget;
use crate::message::Processes;
use crate::pair::channel::Channel;
use crate::resolution::Resolution;
use crate::resolver::Resolver;
use crate::state_dir::StateDir;
use crate::wiring::alarms::Alarms;
use crate::wiring::observing::Observing;
use crate::wiring::trial::Trial;

/// One thread owns it; a borrow never lives across an await.
pub(crate) type Shared = Rc<RefCell<Appliance>>;

/// The state of the control thread.
pub(crate) struct Appliance {
    pub(crate) config: Config,
    pub(crate) file: PathBuf,
    /// What was seen so far; `None`: this node takes part.
    pub(crate) observing: Option<Observing>,
    /// The file is wrong, and this is the last configuration that was in force.
    pub(crate) by_last_good: bool,
    /// Of what the configuration means; heartbeats carry it.
    pub(crate) config_hash: u64,
    pub(crate) configured_at: Moment,
    /// What the configuration was parsed from.
    pub(crate) text: Rc<str>,
    /// It waits to be confirmed.
    pub(crate) trial: Option<Trial>,
    /// The order that began the last one that was confirmed.
    pub(crate) confirmed: Option<Stamp>,
    /// It came from another node, and the file that the service starts with says otherwise.
    pub(crate) ahead_of_file: bool,
    pub(crate) node: Node,
    /// What operators asked of this node and of its servers.
    pub(crate) administrative: Administrative,
    /// Keeps it on the disk.
    pub(crate) saver: Saver,
    /// What the moves of VIPs measured of themselves, and its record.
    pub(crate) failovers: FailoverHistory,
    pub(crate) failover_saver: Saver,
    /// Keeps the configuration in force for a start that finds the file wrong.
    pub(crate) last_good_saver: Saver,
    /// Keeps the one that came from another node for the next start.
    pub(crate) applied_saver: Saver,
    pub(crate) state_dir: StateDir,
    pub(crate) data_plane: DataPlaneHandle,
    pub(crate) checker: Checker,
    pub(crate) agents: Agents,
    /// What is known of the names of servers; `config` has the servers that follow from it.
    pub(crate) resolution: Resolution,
    pub(crate) resolver: Resolver,
    /// What the agents of servers last said, and when.
    pub(crate) said: BTreeMap<(BackendName, ServerName), (AgentWords, Moment)>,
    pub(crate) keeper: KeeperLink,
    /// To the other nodes.
    pub(crate) channel: Channel,
    /// Where the supervisor is told what shall be remembered.
    pub(crate) supervisor: Lifeline,
    /// Waits for what the keeper says of a configuration that is being prepared, by its hash.
    pub(crate) preparing: Option<(u64, oneshot::Sender<Result<Change, String>>)>,
    /// Addresses that the configuration no longer has, since when: their relays get a grace period.
    pub(crate) leaving: Vec<(IpAddr, Instant)>,
    /// The status page and the JSON API on TCP.
    pub(crate) status: StatusAddresses,
    /// In the order of the configuration.
    pub(crate) vips: Vec<VipState>,
    /// The keeper's last snapshot; `None` while there is no keeper.
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) processes: Option<Processes>,
    pub(crate) events: EventLog,
    pub(crate) alarms: Alarms,
    pub(crate) recorder: PrometheusHandle,
    /// Where counters of other parts are added up for the recorder.
    pub(crate) ledger: RefCell<Ledger>,
    /// The last minutes, for charts.
    pub(crate) history: History,
    /// Held by each page that watches, and once here.
    pub(crate) streams: Rc<()>,
    /// When this process began to serve.
    pub(crate) began: Instant,
    /// Log lines that found their queue full.
    pub(crate) log_lines: Unwritten,
    /// Whether the relay loop turns.
    pub(crate) relay_loop: Arc<LoopPulse>,
    /// What is nearly used up.
    pub(crate) scarce: Option<Scarce>,
    pub(crate) memory: MemoryBudget,
    /// Backends whose connections are being rebalanced now; one run each.
    pub(crate) rebalancing: Vec<BackendName>,
    /// When the configuration in force came into force: the first checks of what it has more are awaited from then on.
    pub(crate) in_force_since: Instant,
}

/// One VIP as this node has it.
pub(crate) struct VipState {
    pub(crate) vip: Vip,
    pub(crate) role: Role,
    pub(crate) since: Moment,
    /// Why it came into this role.
    pub(crate) reason: String,
    /// `None` until the first checks are in: the keeper is told nothing and claims nothing.
    pub(crate) judgement: Option<Judgement>,
    /// Who took it over, when it was moved away from here.
    pub(crate) taken_by: Option<NodeName>,
    /// When the address left unplanned: its relays get a grace period.
    pub(crate) lost_at: Option<Instant>,
    /// Planned moves that wait for their outcome.
    pub(crate) moving: Vec<Moving>,
}

/// A planned move under way.
pub(crate) struct Moving {
    pub(crate) since: Instant,
    pub(crate) answer: oneshot::Sender<MoveOutcome>,
}

impl VipState {
    /// As it is before the keeper has spoken.
    pub(crate) fn new(vip: Vip, now: Moment) -> Self {
        let reason = "the keeper has not spoken yet".to_owned();
        Self {
            vip,
            role: Role::Initialize,
            since: now,
            reason,
            judgement: None,
            taken_by: None,
            lost_at: None,
            moving: Vec::new(),
        }
    }

    /// Ends every waiting move with what became of it.
    pub(crate) fn settle(&mut self, outcome: impl Fn(u64) -> MoveOutcome) {
        for moving in self.moving.drain(..) {
            let took = u64::try_from(moving.since.elapsed().as_millis()).unwrap_or(u64::MAX);
            // A caller that hung up does not need its answer.
            let _ = moving.answer.send(outcome(took));
        }
    }
}

impl Appliance {
    /// The VIP of that name.
    pub(crate) fn vip_mut(&mut self, name: &VipName) -> Option<&mut VipState> {
        self.vips.iter_mut().find(|state| state.vip.name == *name)
    }

    /// Relays open on a VIP.
    pub(crate) fn connections_on(&self, address: IpAddr) -> u64 {
        self.data_plane.sessions().list(|session| session.vip().ip() == address).len() as u64
    }

    /// The other nodes, in the order of the configuration.
    pub(crate) fn others(&self) -> impl Iterator<Item = &Node> {
        self.config.nodes.iter().filter(|node| node.name != self.node.name)
    }

    /// All nodes, each with the addresses that its advertisements come from among its further ones: over IPv6 those are link-local, and
    /// no configuration knows them.
    pub(crate) fn nodes_by_source(&self) -> Vec<Node> {
        let mut nodes = self.config.nodes.clone();
        let Some(snapshot) = &self.snapshot else { return nodes };
        for node in &mut nodes {
            let peers = snapshot.peers.iter().filter(|peer| peer.name == node.name).flat_map(|peer| &peer.sources);
            let own = snapshot.interfaces.iter().filter(|_| node.name == self.node.name).map(|port| &port.primary);
            node.other_addresses.extend(peers.chain(own));
        }
        nodes
    }

    /// Notes something in the history and in the log.
    pub(crate) fn note(&mut self, severity: Severity, kind: EventKind, subject: Option<String>, text: String) {
        let of = subject.as_deref().unwrap_or("node");
        match severity {
            Severity::Info => tracing::info!(subject = of, "{text}"),
            Severity::Warning => tracing::warn!(subject = of, "{text}"),
            Severity::Error => tracing::error!(subject = of, "{text}"),
        }
        self.events.add(severity, kind, subject, text);
    }
}
