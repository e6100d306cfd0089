//! The whole command tree and its help.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use fmc_api::command::VipChoice;
use fmc_api::remote::IdentificationError;
use fmc_api::sessions::SessionId;
use fmc_api::target::{Target, TargetError};
use fmc_api::{Client, Nodes};
use fmc_config::model::name::{BackendName, NameError, NodeName, ServerName, VipName};

use crate::span;

// The generator of the pages includes this file from elsewhere.
#[path = "cli/elsewhere.rs"]
mod elsewhere;
#[path = "cli/import.rs"]
mod import;
#[path = "cli/lab.rs"]
pub(crate) mod lab;
#[path = "cli/sessions.rs"]
mod sessions;

pub(crate) use elsewhere::Elsewhere;
pub(crate) use import::Import;
pub(crate) use lab::Lab;
pub(crate) use sessions::Sessions;

/// Look at a running fmc-lb, and tell it what to do.
#[derive(Debug, Parser)]
#[command(name = "fmc-lbctl", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Where the daemon listens.
    #[arg(long, global = true, value_name = "PATH", default_value = fmc_api::DEFAULT_SOCKET)]
    pub(crate) socket: PathBuf,

    #[command(flatten)]
    pub(crate) elsewhere: Elsewhere,

    /// Print the daemon's answer as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Act on the node of --socket alone; otherwise a command acts on every node that it concerns.
    #[arg(long, global = true, conflicts_with = "node")]
    pub(crate) this_node: bool,

    /// Ask this node, through the one of --socket; it alone acts.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) node: Option<NodeName>,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

impl Cli {
    /// A client of the daemon that was named.
    ///
    /// # Errors
    /// A file of those that identify us cannot be used.
    pub(crate) fn client(&self) -> Result<Client, IdentificationError> {
        Ok(self.elsewhere.remote()?.map_or_else(|| Client::new(&self.socket), Client::remote))
    }

    /// Why the verb cannot do what was asked: it looks at the machine that it runs on, and another one was named.
    pub(crate) fn misplaced(&self) -> Option<clap::Error> {
        let verb = match self.verb {
            Verb::Doctor(_) => "doctor",
            Verb::Bundle(_) => "bundle",
            Verb::Import(_) => "import",
            Verb::Lab(_) => "lab",
            _ => return None,
        };
        let named = [("--node", self.node.is_some()), ("--remote", self.elsewhere.remote.is_some())];
        let (option, _) = named.into_iter().find(|(_, is_there)| *is_there)?;
        let words =
            format!("`{verb}` looks at the machine that it runs on, and {option} names another one: run it there\n");
        Some(Self::command().error(ErrorKind::ArgumentConflict, words))
    }

    /// Which nodes the verb is for.
    pub(crate) fn nodes(&self) -> Nodes {
        match &self.node {
            Some(node) => Nodes::Node(node.clone()),
            None if self.this_node => Nodes::This,
            None => Nodes::All,
        }
    }
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 the answer is no, 2 failed, 64 wrong usage.";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Who owns what, since when and why; is it safe to patch this node?
    Status,

    /// Every VIP: its owner, its services, and how fit each node is to serve it.
    Vips,

    /// Every server: its health, its load, and what was asked of it.
    Backends,

    /// Who is connected to what.
    Sessions(Sessions),

    /// Watch VIPs, services and servers live, and drain, ready or move them with a key; needs a terminal.
    Top(Top),

    /// What happened here, oldest first.
    Events(Events),

    /// Give a server or a node nothing new; what is open goes on (a node's VIPs move, which cuts what is open on them).
    Drain(SetState),

    /// Take a server or a node back into service.
    Ready(SetState),

    /// Take a server or a node out of service now, ending what is open on it; with --wait, drain it first.
    Maint(SetState),

    /// Change a server's share of new connections.
    Weight(Weight),

    /// Take back the last drain, ready, maint or weight; says first what it was, and how many connections that cuts.
    Undo(Undo),

    /// For a while, let no address move back to a node only because that node ranks higher; it still leaves a node that serves worse.
    Pin {
        /// How long, at most a week; 0s ends an earlier pin.
        #[arg(value_name = "DURATION", value_parser = span::parse)]
        duration: Duration,
    },

    /// Ask a server once, as its health check does, and show every step; changes nothing. Exits with 1 when it fails.
    Probe {
        /// Which server of which backend.
        #[arg(value_name = "BACKEND/SERVER", value_parser = server_of)]
        server: (BackendName, ServerName),
    },

    /// End one connection.
    Kill {
        /// Its number, as in `fmc-lbctl sessions`.
        session: SessionId,
    },

    /// Close idle connections of servers that have over 20 % more than their share, so that they come back elsewhere.
    Rebalance(Rebalance),

    /// What a configuration file would change in the running service; changes nothing.
    Plan {
        /// The file; `-` reads it from standard input.
        file: PathBuf,
    },

    /// Put a configuration file in force on all nodes or on none, without a restart, and in the place of the one that the service starts
    /// with; says first what changes.
    Apply {
        /// The file.
        file: PathBuf,
        /// On trial: unless `fmc-lbctl confirm` is typed within this time, every node goes back by itself to what it had.
        #[arg(long, value_name = "SPAN", value_parser = span::parse)]
        confirm_within: Option<Duration>,
        /// Do not ask, even on a terminal.
        #[arg(long, short)]
        yes: bool,
    },

    /// Keep the configuration that is on trial, on all nodes.
    Confirm,

    /// Go back from the configuration that is on trial to the one before, on all nodes.
    Rollback,

    /// Write what is in force into the service's own file: after another node has applied it.
    Save,

    /// Put what this node's own configuration file says now in force here, without a restart; says first what changes.
    Reload {
        /// Do not ask, even on a terminal.
        #[arg(long, short)]
        yes: bool,
    },

    /// Move VIPs that this node owns to another node; says first how many connections that cuts.
    Failover(Failover),

    /// What of this machine and its network keeps a balancer from working, each with the edit that mends it; changes nothing. Exits with
    /// 1 when something is wrong.
    Doctor(Doctor),

    /// Gather what somebody who helps needs to see of the nodes and of this machine into one archive, secrets removed.
    Bundle(Bundle),

    /// Why it is so: the sentence, and the facts behind it.
    #[command(subcommand)]
    Explain(Explain),

    /// What the moves of VIPs measured of themselves: detected, VIP up, first connection, first byte, relays ended, cause.
    #[command(subcommand)]
    Report(Report),

    /// Turn haproxy.cfg and keepalived.conf into a configuration, and report of every line whether it was kept, changed, dropped or refused.
    /// Exits with 1 when something was refused.
    Import(Import),

    /// The rest of the lab: machines, networks, names, time, storage and cluster in one inventory.
    #[command(subcommand)]
    Lab(Lab),
}

#[derive(Debug, Args)]
pub(crate) struct Bundle {
    /// Where to write it; an existing file is never replaced [default: fmc-lb-bundle.tar.gz].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// The configuration that the service starts with.
    #[arg(long, value_name = "FILE", default_value = "/etc/fmc-lb/fmc-lb.toml")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Before the service runs, or is installed: ask the machine and the wire alone.
    #[arg(long)]
    pub(crate) preflight: bool,

    /// For which configuration.
    #[arg(long, value_name = "FILE", default_value = "/etc/fmc-lb/fmc-lb.toml")]
    pub(crate) config: PathBuf,

    /// In which language [default: Spanish if LC_ALL, LC_MESSAGES or LANG says so, else English].
    #[arg(long, value_name = "en|es")]
    pub(crate) lang: Option<Lang>,
}

/// A language that every finding has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// English.
    En,
    /// Spanish.
    Es,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Explain {
    /// Why a VIP is where it is: each node's part, what is behind it, and when it moved.
    Vip {
        /// As in `[vips.NAME]`.
        name: VipName,
    },

    /// Why a backend's clients go where they go: each server's prospect, its last checks, and what was asked of it.
    Backend {
        /// As in `[backends.NAME]`.
        name: BackendName,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// The last move: the half of the node that it came to, and that of the node that it left.
    Last {
        /// Only of this VIP.
        #[arg(value_name = "VIP")]
        vip: Option<VipName>,
    },

    /// Every half of every move that is kept, oldest first; restarts do not end it.
    List,

    /// What `fmc-lb run --observe` saw of HAProxy and Keepalived, and what it would have done.
    Observed,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Between two looks.
    #[arg(long, short, value_name = "SPAN", default_value = "1s", value_parser = span::parse)]
    pub(crate) interval: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Go on printing what happens, until interrupted.
    #[arg(long, short)]
    pub(crate) follow: bool,

    /// Only those after this number.
    #[arg(long, value_name = "N")]
    pub(crate) after: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct SetState {
    /// BACKEND/SERVER, SERVER (in every backend that has it), or node NAME.
    #[arg(required = true, num_args = 1..=2, value_name = "TARGET")]
    target: Vec<String>,

    /// Come back when it is so: drained, or in service and healthy.
    #[arg(long)]
    pub(crate) wait: bool,

    /// Give up waiting after this long, and exit with 1; what was asked stays asked.
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = span::parse, requires = "wait")]
    pub(crate) timeout: Duration,

    /// Say what would change, and change nothing.
    #[arg(long, conflicts_with = "wait")]
    pub(crate) dry_run: bool,

    /// Do not ask, even on a terminal.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// A target that was typed wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TypedTargetError {
    #[error("node needs its NAME: write node NAME; a server called node is BACKEND/node")]
    NodeWithoutName,
    #[error("{0:?} and {1:?} are two targets; name one, or write node NAME")]
    Two(String, String),
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl SetState {
    /// What the words after the verb mean.
    pub(crate) fn target(&self) -> Result<Target, TypedTargetError> {
        match self.target.as_slice() {
            [node] if node == "node" => Err(TypedTargetError::NodeWithoutName),
            [node, name] if node == "node" => Ok(format!("node {name}").parse()?),
            [first, second] => Err(TypedTargetError::Two(first.clone(), second.clone())),
            words => Ok(words.concat().parse()?),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Weight {
    /// BACKEND/SERVER, or SERVER (in every backend that has it).
    pub(crate) target: Target,

    /// 0 to 256; 0 gets nothing new.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u16).range(0..=256))]
    pub(crate) weight: u16,
}

#[derive(Debug, Args)]
pub(crate) struct Undo {
    /// Say what would be taken back, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask, even on a terminal.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rebalance {
    /// The backend whose servers are uneven.
    pub(crate) backend: BackendName,

    /// Only connections on which no byte has moved for so long.
    #[arg(long, value_name = "SPAN", default_value = "5s", value_parser = span::parse)]
    pub(crate) idle: Duration,

    /// Close at most so many in a second, 1/s to 1000/s.
    #[arg(long, value_name = "N/s", default_value = "10/s", value_parser = rate)]
    pub(crate) rate: NonZeroU16,

    /// Say what would be closed, and close nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask, even on a terminal.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

fn rate(text: &str) -> Result<NonZeroU16, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse::<NonZeroU16>().ok();
    let rate = number.filter(|number| number.get() <= fmc_api::rebalance::Rebalance::FASTEST);
    rate.ok_or_else(|| "write a number from 1 to 1000 and /s, for example 10/s".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Failover {
    /// A VIP by name, or all that this node owns.
    #[arg(value_name = "VIP|all", default_value = "all", value_parser = vip_choice)]
    pub(crate) vips: VipChoice,

    /// Who takes them; otherwise the best of the others.
    #[arg(long, value_name = "NODE")]
    pub(crate) to: Option<NodeName>,

    /// Say what would move and be cut, and move nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask, even on a terminal.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

fn server_of(text: &str) -> Result<(BackendName, ServerName), String> {
    match text.parse() {
        Ok(Target::ServerOf(backend, server)) => Ok((backend, server)),
        Ok(Target::Server(_) | Target::Node(_)) => Err("name both: BACKEND/SERVER".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn vip_choice(text: &str) -> Result<VipChoice, String> {
    match text {
        "all" => Ok(VipChoice::All),
        name => name.parse().map(VipChoice::Named).map_err(|error: NameError| error.to_string()),
    }
}

// By path, because this file is also read by an example, which is elsewhere.
#[cfg(test)]
#[path = "cli/tests.rs"]
mod tests;
