//! Values of one field that name a place in the network: addresses, prefixes, ports, interfaces.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use ipnet::IpNet;

use super::scalar;
use super::table::Value;
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::name::HostName;
use crate::model::node::InterfaceName;
use crate::model::service::Listen;

/// The address of a machine by which others know it.
pub(crate) fn owned(value: &Value<'_>, findings: &mut Findings) -> Option<Located<IpAddr>> {
    let address = reachable(value.string(findings)?, &value.place, findings)?;
    not_loopback(address, value, findings)
}

/// A virtual address, which may be link-local: routers of IPv6 begin with one (RFC 9568 §5.2.9).
pub(crate) fn virtual_address(value: &Value<'_>, findings: &mut Findings) -> Option<Located<IpAddr>> {
    let address = unicast(value.string(findings)?, &value.place, findings)?;
    not_loopback(address, value, findings)
}

fn not_loopback(address: IpAddr, value: &Value<'_>, findings: &mut Findings) -> Option<Located<IpAddr>> {
    if address.is_loopback() {
        report_not_unicast(address, &value.place, findings);
        return None;
    }
    Some(Located { value: address, place: value.place.clone() })
}

/// The address of a machine to ask, which may be this one.
pub(crate) fn without_port(value: &Value<'_>, findings: &mut Findings) -> Option<Located<IpAddr>> {
    let address = reachable(value.string(findings)?, &value.place, findings)?;
    Some(Located { value: address, place: value.place.clone() })
}

/// Where a server is: an address, or a name that the DNS knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Address(IpAddr),
    Name(HostName),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A server's `address`, `address:port`, `[address]:port`, `name` or `name:port`; where an IPv6 address is not in brackets, all of it is
/// the address.
pub(crate) fn server(
    value: &Value<'_>,
    findings: &mut Findings,
) -> Option<(Located<Host>, Option<Located<NonZeroU16>>)> {
    let typed = value.string(findings)?;
    let (host, port) = split(typed, value, findings)?;
    // What might be meant for an address is judged as one: its mistakes are told better.
    let host = match host.parse() {
        Ok(name) => Host::Name(name),
        Err(_no_name) => Host::Address(reachable(host, &value.place, findings)?),
    };
    Some((Located { value: host, place: value.place.clone() }, port))
}

/// The same without names: a machine to ask.
pub(crate) fn with_port(
    value: &Value<'_>,
    findings: &mut Findings,
) -> Option<(Located<IpAddr>, Option<Located<NonZeroU16>>)> {
    let (host, port) = split(value.string(findings)?, value, findings)?;
    let address = reachable(host, &value.place, findings)?;
    Some((Located { value: address, place: value.place.clone() }, port))
}

fn split<'t>(
    typed: &'t str,
    value: &Value<'_>,
    findings: &mut Findings,
) -> Option<(&'t str, Option<Located<NonZeroU16>>)> {
    let (host, port) = host_and_port(typed);
    let port = match port {
        Some(port) => Some(Located { value: port_of_text(port, &value.place, findings)?, place: value.place.clone() }),
        None => None,
    };
    Some((host, port))
}

fn host_and_port(typed: &str) -> (&str, Option<&str>) {
    if let Some((host, port)) = typed.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        return (host, Some(port));
    }
    match typed.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, Some(port)),
        _ => (typed, None),
    }
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

/// A prefix of either family, or one address.
pub(crate) fn prefix(value: &Value<'_>, findings: &mut Findings) -> Option<IpNet> {
    let typed = value.string(findings)?;
    let prefix = typed.parse().ok().or_else(|| typed.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(prefix) = prefix else {
        let fix = "write an address and a length, for example \"192.168.0.0/24\", or one address";
        findings.add(Code::BadPrefix, &value.place, format!("{typed:?} is not an address prefix"), fix);
        return None;
    };
    report_mapped(prefix.addr(), prefix.prefix_len(), &value.place, findings)?;
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

/// The length of a prefix that is one address of IPv6.
const ALL_BITS: u8 = 128;

/// What another machine can be asked at.
fn reachable(typed: &str, place: &Place, findings: &mut Findings) -> Option<IpAddr> {
    let address = unicast(typed, place, findings)?;
    if is_link_local(address) {
        let problem = format!("{address} is link-local, so it is a machine only together with an interface");
        let fix = "write an address of the machine that is good everywhere, global or unique local (fd00::/8)";
        findings.add(Code::LinkLocalAddress, place, problem, fix);
        return None;
    }
    Some(address)
}

fn unicast(typed: &str, place: &Place, findings: &mut Findings) -> Option<IpAddr> {
    let address = address(typed, place, findings)?;
    if !is_unicast(address) {
        report_not_unicast(address, place, findings);
        return None;
    }
    Some(address)
}

fn address(typed: &str, place: &Place, findings: &mut Findings) -> Option<IpAddr> {
    let Ok(address) = typed.parse() else {
        let fix = bad_address_fix(typed);
        findings.add(Code::BadAddress, place, format!("{typed:?} is not an IPv4 or IPv6 address"), fix);
        return None;
    };
    report_mapped(address, ALL_BITS, place, findings)?;
    Some(address)
}

/// One machine has one spelling: what is compared, listened on and written to logs and headers is the address of IPv4.
fn report_mapped(address: IpAddr, length: u8, place: &Place, findings: &mut Findings) -> Option<()> {
    let IpAddr::V6(v6) = address else { return Some(()) };
    let Some(inner) = v6.to_ipv4_mapped() else { return Some(()) };
    let problem = format!("{address} is {inner} in the clothes of IPv6");
    let length = match length {
        ALL_BITS => String::new(),
        _ => format!("/{}", length.saturating_sub(ALL_BITS - 32)),
    };
    findings.add(Code::Ipv4Mapped, place, problem, format!("write \"{inner}{length}\""));
    None
}

fn bad_address_fix(typed: &str) -> String {
    if let Ok(network) = typed.parse::<IpNet>() {
        return format!("leave the length out: \"{}\"", network.addr());
    }
    if let Ok(address) = typed.parse::<SocketAddr>() {
        return format!("leave the port out: \"{}\"", address.ip());
    }
    let bare = typed.trim_start_matches('[').trim_end_matches(']');
    if let Some(address) = bare.split('%').next().and_then(|host| host.parse::<Ipv6Addr>().ok()) {
        return format!("write the address alone: \"{address}\"");
    }
    if typed.contains(':') {
        return "write an IPv6 address, for example \"fd00::32\", in brackets before a port: \"[fd00::32]:6443\""
            .to_owned();
    }
    if typed.chars().any(|c| c.is_ascii_alphabetic()) {
        return "write the address itself: only servers may have a name that the DNS is asked for".to_owned();
    }
    "write four numbers from 0 to 255, for example \"192.168.0.32\"".to_owned()
}

/// fe80::/10 (RFC 4291 §2.5.6).
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// Neither unspecified (and the rest of 0.0.0.0/8), multicast, broadcast nor reserved (RFC 6890 §2.2.2, §2.2.3).
fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !matches!(address.octets()[0], 0 | 224..=255),
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    }
}

fn report_not_unicast(address: IpAddr, place: &Place, findings: &mut Findings) {
    let kind = match address {
        _ if address.is_unspecified() => "an unspecified address",
        _ if address.is_loopback() => "a loopback address",
        _ if address.is_multicast() => "a multicast address",
        IpAddr::V4(v4) if v4.octets()[0] == 0 => "an unspecified address",
        IpAddr::V4(_) | IpAddr::V6(_) => "a reserved or broadcast address",
    };
    let fix = "write an address of the network that the machine is in";
    findings.add(Code::AddressNotUnicast, place, format!("{address} is {kind}, which no other machine can reach"), fix);
}
