//! `[nodes]` as typed.

use std::net::IpAddr;

use super::address;
use super::shape;
use super::table::Entry;
use crate::findings::{Findings, Located};
use crate::model::node::InterfaceName;

/// One entry of `[nodes]`.
#[derive(Debug)]
pub(crate) struct RawNode {
    pub(crate) name: Located<String>,
    pub(crate) address: Option<Located<IpAddr>>,
    pub(crate) interface: Option<Located<InterfaceName>>,
    pub(crate) other_addresses: Vec<Located<IpAddr>>,
}

impl RawNode {
    /// `name = "address"`, or a table.
    pub(crate) fn read(entry: Entry<'_>, findings: &mut Findings) -> Self {
        let Entry { name, value } = entry;
        if !value.is_table() {
            let address = address::owned(&value, findings);
            return Self { name, address, interface: None, other_addresses: Vec::new() };
        }
        let Some(table) = value.table(&shape::NODE, findings) else {
            return Self { name, address: None, interface: None, other_addresses: Vec::new() };
        };
        let address = table.require("address", "\"192.168.0.30\"", findings);
        let others = table.take("other_addresses").and_then(|value| value.list("[\"10.17.5.12\"]", findings));
        Self {
            name,
            address: address.and_then(|value| address::owned(&value, findings)),
            interface: table.take("interface").and_then(|value| address::interface(&value, findings)),
            other_addresses: others.iter().flatten().filter_map(|value| address::owned(value, findings)).collect(),
        }
    }
}
