//! From `haproxy.cfg` and `keepalived.conf` to one configuration of ours, with an account of every line.
//!
//! ```text
//! ledger      every statement of every file, and what became of it: kept, changed, dropped, refused; and the lints
//! haproxy     text -> words -> sections -> proxies                     (the grammar of HAProxy)
//! keepalived  text -> statements -> blocks -> virtual routers          (the grammar of Keepalived)
//! lower       proxies and virtual routers -> a draft                   (what they mean here)
//! draft       a draft -> the text of fmc-lb.toml
//! ```
//!
//! [`import`] is the entry. Nothing here opens a file or reads the environment: [`Surroundings`] does, for the caller.

pub mod ledger;

mod draft;
mod haproxy;
mod keepalived;
mod lower;

use std::net::IpAddr;

use fmc_config::model::Config;
use fmc_config::model::name::{NodeName, VipName};
use ledger::Ledger;

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As the operator named it; stands in the report.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// What the old files may refer to beyond themselves.
pub trait Surroundings {
    /// A variable of HAProxy's environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// The files that Keepalived's `include PATTERN` in the file `from` means, in order.
    ///
    /// # Errors
    /// In words, when one cannot be read.
    fn included(&self, pattern: &str, from: &str) -> Result<Vec<Source>, String>;
}

/// A balancer of the pair: its own address stands in neither program's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// As in `[nodes]`, and as Keepalived's `@name` lines call it.
    pub name: NodeName,
    /// Its own address.
    pub address: IpAddr,
}

/// What the operator says beside the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The balancers, in the order of the Keepalived files.
    pub nodes: Vec<Node>,
    /// Virtual addresses, where no Keepalived file names them.
    pub vips: Vec<(VipName, IpAddr)>,
    /// The result runs beside the Keepalived that still serves, and below it.
    pub beside_keepalived: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Imported {
    /// What became of every line.
    pub ledger: Ledger,
    /// The configuration; without what was refused. `None`: too little is left to make one of, or what is left is no
    /// configuration, and `problems` says why.
    pub toml: Option<String>,
    /// What no line is to blame for, in words with the fix.
    pub problems: Vec<String>,
}

impl Imported {
    /// Every line has its place or its reason, and the configuration is one.
    pub fn is_whole(&self) -> bool {
        self.toml.is_some() && self.problems.is_empty() && self.ledger.refused() == 0
    }
}

/// What `haproxy` and the `keepalived` files mean here.
pub fn import(haproxy: &Source, keepalived: &[Source], wishes: &Wishes, surroundings: &dyn Surroundings) -> Imported {
    let mut ledger = Ledger::default();
    let proxies = haproxy::read(haproxy, surroundings, &mut ledger);
    let routers = keepalived::read(keepalived, wishes, surroundings, &mut ledger);
    let (draft, mut problems) = lower::lower(&proxies, &routers, wishes, &mut ledger);
    ledger.account_for_the_rest();
    let toml = draft.to_toml().unwrap_or_else(|error| {
        problems.push(error.to_string());
        String::new()
    });
    if problems.is_empty()
        && let Err(wrong) = Config::parse(&toml, "fmc-lb.toml")
    {
        problems.extend(wrong.lines().lines().map(str::to_owned));
    }
    Imported { toml: problems.is_empty().then_some(toml), ledger, problems }
}
