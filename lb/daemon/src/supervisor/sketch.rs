//! What the supervisor remembers of the configuration, so that it can answer `status` without the proxy.

use std::path::PathBuf;
use std::time::SystemTime;

use fmc_api::Moment;
use fmc_api::status::{Fitness, LoadedConfig, Owner, PeerStatus, Process, Roles, SafeToPatch, Status, VipStatus};
use fmc_api::word::{AdminState, Answerer, ProcessState, Role, Tier};
use fmc_config::model::Config;
use fmc_config::model::name::NodeName;
use fmc_config::model::node::Node;

use crate::message::{ProcessLife, Processes, VipRole};

/// Names and addresses: enough for a short answer.
#[derive(Debug)]
pub(crate) struct Sketch {
    node: NodeName,
    file: PathBuf,
    observe: bool,
    read_at: Moment,
    vips: Vec<VipStatus>,
    peers: Vec<PeerStatus>,
}

impl Sketch {
    /// Drawn once, from the configuration this node was started with.
    pub(crate) fn new(config: &Config, node: &Node, file: PathBuf, observe: bool) -> Self {
        let now = Moment::from(SystemTime::now());
        let vips = config.vips.iter().map(|vip| VipStatus {
            name: vip.name.clone(),
            address: vip.address,
            follows: vip.follows.clone(),
            virtual_router_id: vip.virtual_router_id.get(),
            interface: vip.interface_on(node).map_or_else(String::new, ToString::to_string),
            owner: Owner::Unknown,
            role: Role::Initialize,
            since: now,
            reason: "the proxy is dead".to_owned(),
            priority: 0,
            fitness: Fitness { tier: Tier::Unfit, cause: Some("the proxy is dead".to_owned()) },
            peers: Vec::new(),
            frontends: Vec::new(),
            connections: 0,
        });
        let peers = config.nodes.iter().filter(|other| other.name != node.name).map(|other| PeerStatus {
            node: other.name.clone(),
            address: other.address,
            heartbeat_age_ms: None,
            alive: false,
            config_hash: None,
            version: None,
            connections: None,
            channel_trouble: None,
        });
        Self { node: node.name.clone(), file, observe, read_at: now, vips: vips.collect(), peers: peers.collect() }
    }

    /// The short answer: the processes as they are, the VIPs as the keeper last told.
    pub(crate) fn status(&self, processes: &Processes, roles: &[VipRole]) -> Status {
        Status {
            now: Moment::from(SystemTime::now()),
            answered_by: Answerer::Supervisor,
            node: self.node.clone(),
            admin: AdminState::Ready,
            admin_asked: None,
            pinned: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            up_since: Moment::from_unix_ms(processes.since),
            observe: self.observe,
            config: LoadedConfig {
                file: self.file.clone(),
                hash: String::new(),
                since: self.read_at,
                trial_ends_in_ms: None,
            },
            roles: process_roles(processes),
            vips: self.vips.iter().map(|vip| self.with_role(vip, roles)).collect(),
            peers: self.peers.clone(),
            safe_to_patch: SafeToPatch { safe: false, why: "its proxy is down: ask another node".to_owned() },
            alarms: Vec::new(),
        }
    }

    fn with_role(&self, vip: &VipStatus, roles: &[VipRole]) -> VipStatus {
        let known = roles.iter().find(|role| role.address == vip.address);
        let role = known.map_or(Role::Initialize, |known| role_word(known.role));
        let owner = if role == Role::Active { Owner::Node(self.node.clone()) } else { Owner::Unknown };
        VipStatus { role, owner, ..vip.clone() }
    }
}

/// The processes in the API's words.
pub(crate) fn process_roles(processes: &Processes) -> Roles {
    let since = Moment::from_unix_ms(processes.since);
    let supervisor = Process { state: ProcessState::Running, pid: Some(processes.supervisor_pid), since, restarts: 0 };
    Roles { supervisor, keeper: process(&processes.keeper), proxy: process(&processes.proxy) }
}

fn process(life: &ProcessLife) -> Process {
    let state = match (life.pid, life.ready) {
        (Some(_), true) => ProcessState::Running,
        (Some(_), false) => ProcessState::Starting,
        (None, _) => ProcessState::Restarting,
    };
    Process { state, pid: life.pid, since: Moment::from_unix_ms(life.since), restarts: life.restarts }
}

/// The election's role in the API's words; to an operator, a node that hands over still serves.
pub(crate) fn role_word(role: fmc_vrrp::router::role::Role) -> Role {
    use fmc_vrrp::router::role::Role as Elected;
    match role {
        Elected::Initialize => Role::Initialize,
        Elected::Backup => Role::Backup,
        Elected::Active | Elected::Leaving => Role::Active,
    }
}
