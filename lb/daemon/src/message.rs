//! What our processes say to one another. Supervisor and roles over the lifeline, keeper and proxy over the partner channel.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use fmc_config::model::election::{Centiseconds, Version};
use fmc_config::model::name::VipName;
use fmc_config::model::node::InterfaceName;
use fmc_config::model::vip::VirtualRouterId;
use fmc_vrrp::driver::{AdvertKeys, Change, Command, KeeperSettings, Report};
use fmc_vrrp::router::role::Role;
use serde::{Deserialize, Serialize};

/// How often every role says that it is alive.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(20);

/// A role that has been silent this long is taken for frozen.
pub(crate) const FROZEN_AFTER: Duration = Duration::from_millis(150);

/// A thread that turns this late was not running: what others said meanwhile is still in its sockets, and their silence is its own.
pub(crate) const LATE_TURN: Duration = Duration::from_millis(60);

/// The keeper's roles are said again this often: a change that found a queue full is not lost for long.
pub(crate) const ROLES_AGAIN: Duration = Duration::from_millis(250);

/// Supervisor to role.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// The first message of a life.
    Begin(Begin),
    /// With a descriptor: a new channel to the other role, in place of any earlier one.
    Partner,
    /// With a descriptor, to the proxy: the listening admin socket.
    Admin,
    /// With a descriptor, to the proxy: the text of the configuration that the supervisor has checked. A role that is
    /// restarted works by the same one, whatever has been done to the file since.
    Configuration,
    /// To the proxy, after each change: how the processes live, for `status`.
    Processes(Processes),
    /// Finish in good order and exit.
    End,
}

/// The three processes as the supervisor has them. Wall-clock moments in Unix milliseconds, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Processes {
    pub(crate) supervisor_pid: u32,
    pub(crate) since: u64,
    pub(crate) keeper: ProcessLife,
    pub(crate) proxy: ProcessLife,
}

/// One role's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessLife {
    /// `None`: ended, waiting for its restart.
    pub(crate) pid: Option<u32>,
    pub(crate) ready: bool,
    pub(crate) since: u64,
    pub(crate) restarts: u32,
}

/// What `fmc-lb run` was started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Begin {
    /// The file's name, for messages; its text comes with [`Order::Configuration`].
    pub(crate) config: PathBuf,
    pub(crate) node: Option<String>,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) state_dir: PathBuf,
    /// Listen to elections and take no part; serve nobody.
    pub(crate) observe: bool,
    /// The file is wrong, and the text is that of the last configuration that was in force.
    pub(crate) by_last_good: bool,
    /// The text was applied on another node, and the file says otherwise.
    pub(crate) ahead_of_file: bool,
}

/// Role to supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// Every [`HEARTBEAT`].
    Alive,
    /// The role does its work: the proxy listens, the keeper elects.
    Ready,
    /// The keeper's roles, after each change and each [`ROLES_AGAIN`]; what the supervisor answers `status` with when the proxy is dead.
    Roles(Vec<VipRole>),
    /// From the proxy, with a descriptor: the text of the configuration that an operator has put in force.
    Configuration,
}

/// One VIP as the keeper has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VipRole {
    pub(crate) vip: VipName,
    pub(crate) address: IpAddr,
    pub(crate) role: Role,
    /// The VIP whose election this one goes with.
    pub(crate) follows: Option<VipName>,
    /// The rest is what a last advertisement is made of.
    pub(crate) virtual_router_id: VirtualRouterId,
    pub(crate) virtual_mac: bool,
    /// `None`: the one that holds `node`.
    pub(crate) interface: Option<InterfaceName>,
    pub(crate) node: IpAddr,
    pub(crate) interval: Centiseconds,
    pub(crate) version: Version,
    pub(crate) destinations: Vec<IpAddr>,
    pub(crate) auth_hmac: Option<AdvertKeys>,
}

/// Proxy to keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToKeeper {
    /// What to elect; the first message after an introduction. The same settings again change nothing.
    Configure(Box<KeeperSettings>),
    /// Look whether an election could work by these, and what they mean for the one under way; answered by
    /// [`ToProxy::Prepared`].
    Prepare(Box<KeeperSettings>),
    /// Every [`HEARTBEAT`]: the age of the oldest relay loop's stamp.
    Alive {
        /// Since the slowest relay loop last turned.
        loop_age: Duration,
    },
    /// Fitness, resignations, requests for a snapshot.
    Command(Command),
}

/// Keeper to proxy: what happened, and how things stand.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToProxy {
    /// From the election.
    Report(Report),
    /// Of the settings with this hash: what they mean, or the sentence that says why not.
    Prepared(u64, Result<Change, String>),
}
