//! `[vips.NAME]` as typed.

use std::net::IpAddr;

use super::table::{Entry, Value};
use super::{address, scalar, shape};
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::node::InterfaceName;

/// One table of `[vips]`.
#[derive(Debug)]
pub(crate) struct RawVip {
    pub(crate) name: Located<String>,
    pub(crate) place: Place,
    pub(crate) address: Option<Located<IpAddr>>,
    pub(crate) virtual_router_id: Option<Located<u8>>,
    pub(crate) virtual_mac: Option<Located<bool>>,
    pub(crate) follows: Option<Located<String>>,
    pub(crate) interface: RawInterface,
}

/// Where a VIP lives.
#[derive(Debug)]
pub(crate) enum RawInterface {
    /// On each node's own default.
    Default,
    /// Under this name on every node.
    Everywhere(InterfaceName),
    /// As named for each node.
    PerNode(Vec<(Located<String>, InterfaceName)>),
}

impl RawVip {
    /// A table, or `name = "address"` within `[vips]`.
    pub(crate) fn read(entry: Entry<'_>, findings: &mut Findings) -> Self {
        let Entry { name, value } = entry;
        let mut vip = Self {
            name,
            place: value.place.clone(),
            address: None,
            virtual_router_id: None,
            virtual_mac: None,
            follows: None,
            interface: RawInterface::Default,
        };
        if value.is_string() {
            vip.address = address::virtual_address(&value, findings);
        } else if let Some(table) = value.table(&shape::VIP, findings) {
            let address = table.require("address", "\"192.168.0.32\"", findings);
            vip.address = address.and_then(|value| address::virtual_address(&value, findings));
            let id = table.take("virtual_router_id");
            vip.virtual_router_id = id.and_then(|value| scalar::number(&value, 1..=255, findings));
            vip.virtual_mac = table.take("virtual_mac").and_then(|value| scalar::truth(&value, findings));
            vip.follows = table.take("follows").and_then(|value| scalar::text(&value, findings));
            one_election(&vip, findings);
            vip.interface = table.take("interface").map_or(RawInterface::Default, |value| interface(&value, findings));
        }
        vip
    }
}

/// Who follows is elected by the other's virtual router.
fn one_election(vip: &RawVip, findings: &mut Findings) {
    one_mac(vip, findings);
    let (Some(id), Some(leader)) = (&vip.virtual_router_id, &vip.follows) else { return };
    let problem = format!("it follows vips.{}, and so has no virtual router of its own", leader.value);
    let fix = "remove `virtual_router_id`, or `follows` when it shall be elected alone";
    findings.add(Code::EitherOr, &id.place, problem, fix);
    findings.because(&leader.place, "follows");
}

/// Who follows goes with the other's MAC address too.
fn one_mac(vip: &RawVip, findings: &mut Findings) {
    let (Some(mac), Some(leader)) = (&vip.virtual_mac, &vip.follows) else { return };
    let problem =
        format!("it follows vips.{}, and so is at the MAC address of that one's virtual router", leader.value);
    let fix = format!("remove `virtual_mac` here, and write it in [vips.{}] when both shall have it", leader.value);
    findings.add(Code::EitherOr, &mac.place, problem, fix);
    findings.because(&leader.place, "follows");
}

fn interface(value: &Value<'_>, findings: &mut Findings) -> RawInterface {
    if !value.is_table() {
        let name = address::interface(value, findings);
        return name.map_or(RawInterface::Default, |name| RawInterface::Everywhere(name.value));
    }
    let named = |entry: Entry<'_>, findings: &mut Findings| {
        let interface = address::interface(&entry.value, findings)?;
        Some((entry.name, interface.value))
    };
    let entries = value.entries("{ loadbalancer1 = \"eth1\" }", findings);
    RawInterface::PerNode(entries.into_iter().filter_map(|entry| named(entry, findings)).collect())
}
