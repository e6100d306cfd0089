//! The model: what the configuration means, with every default filled in. Illegal values have no representation.

pub mod backend;
pub mod bandwidth;
pub mod election;
pub mod family;
pub mod frontend;
pub mod health_check;
pub mod name;
pub mod node;
pub mod route;
pub mod service;
pub mod vip;

use backend::Backend;
use election::Election;
use frontend::Frontend;
use name::VipName;
use node::Node;
use service::{Admin, Dns, Limits, Pair};
use vip::Vip;

use crate::diagnostic::Diagnostics;

/// One whole configuration, the same on every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// One to three, in order of preference.
    pub nodes: Vec<Node>,
    /// How owners are elected.
    pub election: Election,
    /// Every virtual address.
    pub vips: Vec<Vip>,
    /// Every service.
    pub frontends: Vec<Frontend>,
    /// Every group of servers.
    pub backends: Vec<Backend>,
    /// Heartbeat between the nodes.
    pub pair: Pair,
    /// Status page and metrics.
    pub admin: Admin,
    /// How the names of servers are found.
    pub dns: Dns,
    /// Bounds of the whole process.
    pub limits: Limits,
}

impl Config {
    /// The meaning of `source`, or every error in it. `file_name` is only shown, never opened.
    ///
    /// # Errors
    ///
    /// All that is wrong with the file, found in one run.
    pub fn parse(source: &str, file_name: &str) -> Result<Self, Diagnostics> {
        Self::parse_with_warnings(source, file_name).map(|(config, _)| config)
    }

    /// As [`Config::parse`], with what an operator should look at although the file is taken.
    ///
    /// # Errors
    ///
    /// All that is wrong with the file, found in one run; warnings wait until it is mended.
    pub fn parse_with_warnings(source: &str, file_name: &str) -> Result<(Self, Diagnostics), Diagnostics> {
        let (config, found) = crate::lower::read(source);
        let diagnostics = Diagnostics::new(file_name, source, found);
        match config {
            Some(config) => Ok((config, diagnostics)),
            None => Err(diagnostics),
        }
    }

    /// Every VIP that one election gives to one owner together with `vip`, which is among them; the one whose virtual router it is
    /// comes first.
    pub fn elected_with<'a>(&'a self, vip: &VipName) -> impl Iterator<Item = &'a Vip> + use<'a> {
        let leader = self.vips.iter().find(|other| other.name == *vip).map(Vip::elected_as);
        let leading = self.vips.iter().filter(move |other| Some(&other.name) == leader);
        leading.chain(self.vips.iter().filter(move |other| other.follows.is_some() && other.follows.as_ref() == leader))
    }

    /// The full result, every default written out, as commented TOML that parses to an equal configuration.
    pub fn effective(&self) -> String {
        crate::effective::write(self)
    }
}
