//! What goes with an address of one family, and what does not.

use super::election::is_compat;
use crate::diagnostic::Code;
use crate::findings::{Findings, Located};
use crate::model::Config;
use crate::model::election::Transport;
use crate::model::family::Family;
use crate::model::node::Node;
use crate::model::vip::Vip;
use crate::toml::RawConfig;
use crate::toml::address::is_link_local;
use crate::toml::frontends::RawFrontend;
use crate::toml::vips::RawVip;

/// Reports every mixture that could not work.
pub(super) fn report(raw: &RawConfig, config: &Config, findings: &mut Findings) {
    for typed in &raw.vips {
        let Some(vip) = config.vips.iter().find(|vip| vip.name.as_str() == typed.name.value) else { continue };
        report_no_interface(typed, vip, &config.nodes, findings);
        if vip.follows.is_none() {
            report_version_2(typed, vip, raw, findings);
            report_no_unicast(typed, vip, config, findings);
            report_virtual_mac(typed, config, findings);
        }
    }
    for typed in &raw.frontends {
        let vip = config.vips.iter().find(|vip| typed.vip.as_ref().is_some_and(|name| name.value == vip.name.as_str()));
        if let Some(vip) = vip {
            report_unnameable(typed, vip, findings);
            report_nobody_allowed(typed, vip, findings);
        }
    }
}

/// The interface that holds a node's own address is found when the service starts, and may be another on each node.
fn report_no_interface(typed: &RawVip, vip: &Vip, nodes: &[Node], findings: &mut Findings) {
    let (true, Some(address)) = (is_link_local(vip.address), &typed.address) else { return };
    if let Some(node) = nodes.iter().find(|node| vip.interface_on(node).is_none()) {
        let problem =
            format!("{} is link-local, and nothing says on which interface of {} it is", vip.address, node.name);
        let fix = "add `interface = \"eth0\"` with the one that faces the clients";
        findings.add(Code::LinkLocalWithoutInterface, &address.place, problem, fix);
    }
}

/// VRRPv2 is of IPv4 alone (RFC 3768 §1.1).
fn report_version_2(typed: &RawVip, vip: &Vip, raw: &RawConfig, findings: &mut Findings) {
    let (true, Some(address)) = (vip.address.is_ipv6() && is_compat(&raw.election), &typed.address) else { return };
    let problem = format!("{} is IPv6, and profile \"compat\" speaks VRRPv2, which knows IPv4 alone", vip.address);
    let fix = "add `follows` with a VIP of IPv4, whose owner then owns this one too, or use another profile";
    findings.add(Code::Ipv6NeedsVersion3, &address.place, problem, fix);
    if let Some(profile) = &raw.election.profile {
        findings.because(&profile.place, "said here");
    }
}

/// Only adverts to everyone tell the switches, again and again, where the virtual MAC address is.
fn report_virtual_mac(typed: &RawVip, config: &Config, findings: &mut Findings) {
    let (Transport::Unicast, Some(mac)) = (config.election.transport, &typed.virtual_mac) else { return };
    if mac.value {
        let problem = "advertisements go to each node alone, so nothing keeps the switches knowing where the virtual MAC address is";
        let fix = "remove `virtual_mac`, or write `transport = \"multicast\"` in [election]";
        findings.add(Code::VirtualMacUnicast, &mac.place, problem, fix);
    }
}

fn report_no_unicast(typed: &RawVip, vip: &Vip, config: &Config, findings: &mut Findings) {
    let (Transport::Unicast, Some(address)) = (config.election.transport, &typed.address) else { return };
    let family = Family::of(vip.address);
    let has_one = |node: &&Node| {
        std::iter::once(&node.address).chain(&node.other_addresses).any(|own| Family::of(*own) == family)
    };
    let Some(node) = config.nodes.iter().find(|node| !has_one(node)) else { return };
    let (example, name) = (example(family), &node.name);
    let problem = format!("advertisements of {family} go to each node, and {name} has no address of {family} here");
    let fix = format!(
        "add one in [nodes], `{name} = {{ address = \"{}\", other_addresses = [\"{example}\"] }}`, or let this VIP follow one that is not {family}",
        node.address
    );
    findings.add(Code::UnicastWithoutAddress, &address.place, problem, fix);
}

const fn example(family: Family) -> &'static str {
    match family {
        Family::V4 => "192.168.0.30",
        Family::V6 => "fd00::30",
    }
}

/// Who connects to a link-local address must say on which of his own interfaces, and few programs can.
fn report_unnameable(typed: &RawFrontend, vip: &Vip, findings: &mut Findings) {
    let (true, Some(name)) = (is_link_local(vip.address), &typed.vip) else { return };
    let problem =
        format!("{} is link-local: clients can name it only together with an interface of theirs", vip.address);
    let fix = format!("listen on a VIP that has `follows = {:?}`, global or unique local (fd00::/8)", name.value);
    findings.add(Code::LinkLocalAddress, &name.place, problem, fix);
}

/// A trusted proxy may name clients of either family.
fn report_nobody_allowed(typed: &RawFrontend, vip: &Vip, findings: &mut Findings) {
    let family = Family::of(vip.address);
    let is_other = |network: &Located<ipnet::IpNet>| Family::of(network.value.addr()) != family;
    let Some(first) = typed.allow.first() else { return };
    if typed.accept_proxy.is_empty() && typed.allow.iter().all(is_other) {
        let problem = format!("clients of {} come from addresses of {family}, and none is allowed", vip.address);
        let fix = format!("add the networks of {family} that may connect");
        findings.add(Code::AllowOtherFamily, &first.place, problem, fix);
    }
}
