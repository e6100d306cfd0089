//! The file as typed: every key read into its own type, every value that does not fit reported with its place.
//!
//! serde's derive stops at the first error; an operator wants them all. So the spanned tree of the parser is walked by
//! hand ([`table`]), rules of one field are checked here, and rules of two or more in [`crate::lower`].

pub(crate) mod address;
pub(crate) mod backends;
pub(crate) mod bytes;
pub(crate) mod check;
pub(crate) mod dns;
pub(crate) mod election;
pub(crate) mod frontends;
pub(crate) mod nodes;
pub(crate) mod routes;
pub(crate) mod scalar;
pub(crate) mod service;
pub(crate) mod shape;
pub(crate) mod table;
pub(crate) mod vips;

use ::toml::de::DeTable;

use crate::findings::Findings;
use crate::syntax;
use backends::RawBackend;
use dns::RawDns;
use election::RawElection;
use frontends::RawFrontend;
use nodes::RawNode;
use service::{RawAdmin, RawLimits, RawPair};
use shape::Shape;
use table::{Entry, Table, Value};
use vips::RawVip;

/// The whole file.
#[derive(Debug)]
pub(crate) struct RawConfig {
    pub(crate) nodes: Vec<RawNode>,
    pub(crate) election: RawElection,
    pub(crate) vips: Vec<RawVip>,
    pub(crate) frontends: Vec<RawFrontend>,
    pub(crate) backends: Vec<RawBackend>,
    pub(crate) dns: RawDns,
    pub(crate) pair: RawPair,
    pub(crate) admin: RawAdmin,
    pub(crate) limits: RawLimits,
}

/// `None`: not TOML, so nothing it seems to say can be trusted.
pub(crate) fn read(source: &str, findings: &mut Findings) -> Option<RawConfig> {
    let (document, errors) = DeTable::parse_recoverable(source);
    if !syntax::report(&errors, findings) {
        return None;
    }
    let root = Table::root(document.get_ref(), &shape::ROOT, findings);
    Some(RawConfig {
        nodes: entries(&root, "nodes", "loadbalancer1 = \"192.168.0.30\"", findings)
            .into_iter()
            .map(|entry| RawNode::read(entry, findings))
            .collect(),
        election: section(&root, "election", &shape::ELECTION, RawElection::read, findings),
        vips: entries(&root, "vips", "[vips.api]", findings)
            .into_iter()
            .map(|entry| RawVip::read(entry, findings))
            .collect(),
        frontends: entries(&root, "frontends", "[frontends.k8s-api]", findings)
            .into_iter()
            .filter_map(|entry| RawFrontend::read(entry, findings))
            .collect(),
        backends: entries(&root, "backends", "[backends.masters]", findings)
            .into_iter()
            .filter_map(|entry| RawBackend::read(entry, findings))
            .collect(),
        dns: section(&root, "dns", &shape::DNS, RawDns::read, findings),
        pair: section(&root, "pair", &shape::PAIR, RawPair::read, findings),
        admin: section(&root, "admin", &shape::ADMIN, RawAdmin::read, findings),
        limits: section(&root, "limits", &shape::LIMITS, RawLimits::read, findings),
    })
}

fn entries<'t>(root: &Table<'t>, key: &'static str, example: &str, findings: &mut Findings) -> Vec<Entry<'t>> {
    root.take(key).map_or_else(Vec::new, |value: Value<'t>| value.entries(example, findings))
}

fn section<T: Default>(
    root: &Table<'_>,
    key: &'static str,
    shape: &'static Shape,
    read: impl FnOnce(&Table<'_>, &mut Findings) -> T,
    findings: &mut Findings,
) -> T {
    let table = root.take(key).and_then(|value| value.table(shape, findings));
    table.map_or_else(T::default, |table| read(&table, findings))
}
