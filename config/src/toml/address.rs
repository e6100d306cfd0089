//! Values of one field that name a place in the network: addresses, prefixes, ports, interfaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroU16;

use ipnet::{IpNet, Ipv4Net};

use super::scalar;
use super::table::Value;
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::node::InterfaceName;
use crate::model::service::Listen;

/// The address of a machine: what an interface can own.
pub(crate) fn owned(value: &Value<'_>, findings: &mut Findings) -> Option<Located<Ipv4Addr>> {
    let typed = value.string(findings)?;
    let address = ipv4(typed, &value.place, findings)?;
    if address.is_loopback() || !is_unicast(address) {
        report_not_unicast(address, &value.place, findings);
        return None;
    }
    Some(Located { value: address, place: value.place.clone() })
}

/// The address of a machine to ask, which may be this one.
pub(crate) fn without_port(value: &Value<'_>, findings: &mut Findings) -> Option<Located<Ipv4Addr>> {
    let address = ipv4(value.string(findings)?, &value.place, findings)?;
    if !is_unicast(address) {
        report_not_unicast(address, &value.place, findings);
        return None;
    }
    Some(Located { value: address, place: value.place.clone() })
}

/// A server's `address` or `address:port`.
pub(crate) fn server(
    value: &Value<'_>,
    findings: &mut Findings,
) -> Option<(Located<Ipv4Addr>, Option<Located<NonZeroU16>>)> {
    let typed = value.string(findings)?;
    let (host, port) = match typed.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, Some(port)),
        _ => (typed, None),
    };
    let port = match port {
        Some(port) => Some(Located { value: port_of_text(port, &value.place, findings)?, place: value.place.clone() }),
        None => None,
    };
    let address = ipv4(host, &value.place, findings)?;
    if !is_unicast(address) {
        report_not_unicast(address, &value.place, findings);
        return None;
    }
    Some((Located { value: address, place: value.place.clone() }, port))
}

/// A port as a number.
pub(crate) fn port(value: &Value<'_>, findings: &mut Findings) -> Option<Located<NonZeroU16>> {
    let typed = value.integer(findings)?;
    let port = u16::try_from(typed).ok().and_then(NonZeroU16::new);
    if port.is_none() {
        let problem = format!("{} is not a port", value.scalar_text().unwrap_or_default());
        findings.add(Code::BadPort, &value.place, problem, "write a number from 1 to 65535");
    }
    Some(Located { value: port?, place: value.place.clone() })
}

/// A port as a text: a key of a port map, or behind a colon.
pub(crate) fn port_of_text(typed: &str, place: &Place, findings: &mut Findings) -> Option<NonZeroU16> {
    let digits = !typed.is_empty() && typed.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { typed.parse().ok() } else { None };
    if port.is_none() {
        findings.add(Code::BadPort, place, format!("{typed:?} is not a port"), "write a number from 1 to 65535");
    }
    port
}

/// An IPv4 prefix, or one address.
pub(crate) fn prefix_v4(value: &Value<'_>, findings: &mut Findings) -> Option<Ipv4Net> {
    match prefix(value, findings)? {
        IpNet::V4(prefix) => Some(prefix),
        IpNet::V6(prefix) => {
            report_ipv6(&prefix.to_string(), &value.place, findings);
            None
        }
    }
}

/// A prefix of either family, or one address.
pub(crate) fn prefix(value: &Value<'_>, findings: &mut Findings) -> Option<IpNet> {
    let typed = value.string(findings)?;
    let prefix = typed.parse().ok().or_else(|| typed.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(prefix) = prefix else {
        let fix = "write an address and a length, for example \"192.168.0.0/24\", or one address";
        findings.add(Code::BadPrefix, &value.place, format!("{typed:?} is not an address prefix"), fix);
        return None;
    };
    if prefix.addr() != prefix.network() {
        let problem = format!("{typed} has bits set beyond its length");
        let (masked, length) = (prefix.trunc(), prefix.max_prefix_len());
        let fix =
            format!("write \"{masked}\" for the whole network, or \"{}/{length}\" for the one address", prefix.addr());
        findings.add(Code::PrefixHostBits, &value.place, problem, fix);
        return None;
    }
    Some(prefix)
}

/// Where the status page listens: either family with a port, or the word for each node's own address.
pub(crate) fn listen(value: &Value<'_>, findings: &mut Findings) -> Option<Located<Listen>> {
    let typed = value.string(findings)?;
    if let Some(port) = typed.strip_prefix("node:") {
        let port = port_of_text(port, &value.place, findings)?;
        return Some(Located { value: Listen::Node(port), place: value.place.clone() });
    }
    match typed.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => {
            Some(Located { value: Listen::Address(address), place: value.place.clone() })
        }
        _ => {
            let problem = format!("{typed:?} is not an address with a port");
            let fix = "write both, for example \"127.0.0.1:9109\", \"[::1]:9109\" or, for each node's own address, \"node:9109\"";
            findings.add(Code::BadListenAddress, &value.place, problem, fix);
            None
        }
    }
}

/// The name of an interface that VRRP can run on.
pub(crate) fn interface(value: &Value<'_>, findings: &mut Findings) -> Option<Located<InterfaceName>> {
    let typed = scalar::text(value, findings)?;
    if typed.value == "lo" {
        let fix = "name the interface that faces the clients, or leave it out";
        findings.add(Code::InterfaceLoopback, &value.place, "no neighbour hears an advertisement on loopback", fix);
        return None;
    }
    match typed.value.parse() {
        Ok(interface) => Some(typed.map(|_| interface)),
        Err(error) => {
            let problem = format!("{:?} is not an interface: {error}", typed.value);
            findings.add(
                Code::BadInterface,
                &value.place,
                problem,
                "write a name that `ip link` shows, for example \"eth0\"",
            );
            None
        }
    }
}

fn ipv4(typed: &str, place: &Place, findings: &mut Findings) -> Option<Ipv4Addr> {
    if let Ok(address) = typed.parse() {
        return Some(address);
    }
    if is_ipv6(typed) {
        report_ipv6(typed, place, findings);
    } else {
        let fix = bad_address_fix(typed);
        findings.add(Code::BadAddress, place, format!("{typed:?} is not an IPv4 address"), fix);
    }
    None
}

fn is_ipv6(typed: &str) -> bool {
    let host = typed.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or(typed);
    let host = host.split(['/', '%']).next().unwrap_or(host);
    host.parse::<Ipv6Addr>().is_ok()
}

fn bad_address_fix(typed: &str) -> String {
    if let Ok(network) = typed.parse::<Ipv4Net>() {
        return format!("leave the length out: \"{}\"", network.addr());
    }
    if let Ok(address) = typed.parse::<SocketAddrV4>() {
        return format!("leave the port out: \"{}\"", address.ip());
    }
    if typed.chars().any(|c| c.is_ascii_alphabetic()) {
        return "write the address itself, names are not resolved: a balancer must not wait for DNS".to_owned();
    }
    "write four numbers from 0 to 255, for example \"192.168.0.32\"".to_owned()
}

fn report_ipv6(typed: &str, place: &Place, findings: &mut Findings) {
    let problem = format!("{typed} is IPv6, and only IPv4 is built");
    findings.add(Code::Ipv6NotBuilt, place, problem, "write an IPv4 address here");
}

/// Neither unspecified (and the rest of 0.0.0.0/8), multicast, broadcast nor reserved (RFC 6890 §2.2.2).
fn is_unicast(address: Ipv4Addr) -> bool {
    !matches!(address.octets()[0], 0 | 224..=255)
}

fn report_not_unicast(address: Ipv4Addr, place: &Place, findings: &mut Findings) {
    let kind = match address.octets()[0] {
        0 => "an unspecified address",
        127 => "a loopback address",
        224..=239 => "a multicast address",
        _ => "a reserved or broadcast address",
    };
    let fix = "write an address of the network that the machine is in";
    findings.add(Code::AddressNotUnicast, place, format!("{address} is {kind}, which no other machine can reach"), fix);
}
