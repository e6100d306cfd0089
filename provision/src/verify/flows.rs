//! Ports: those that a flow opens to this place, and those that every flow keeps from it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::{Expectation, Reach, Seat, What};
use crate::flow::{Flow, flows};
use crate::inventory::Protocol;

/// Where a program can be met, and what for: every purpose for which somebody may.
type Doors = BTreeMap<(Ipv4Addr, u16), Vec<String>>;

pub(super) fn expectations(seat: &Seat<'_>) -> Vec<Expectation> {
    let flows: Vec<_> = flows(seat.lab).into_iter().filter(|flow| flow.protocol == Protocol::Tcp).collect();
    let doors = doors(&flows);
    let inside = doors.iter().filter_map(|(door, purposes)| inside(seat, &flows, *door, purposes));
    inside.chain(public(seat, &doors)).collect()
}

fn doors(flows: &[Flow]) -> Doors {
    let mut doors = Doors::new();
    for flow in flows {
        for door in flow.to.iter().flat_map(|to| flow.ports.iter().map(|port| (*to, *port))) {
            doors.entry(door).or_default().push(flow.purpose.clone());
        }
    }
    doors
}

fn inside(seat: &Seat<'_>, flows: &[Flow], (to, port): (Ipv4Addr, u16), purposes: &[String]) -> Option<Expectation> {
    let from = seat.source(to).filter(|from| *from != to && seat.is_inside(*from))?;
    let lets = flows.iter().find(|flow| flow.lets(from, to, port));
    let is_vip = seat.lab.vips.iter().any(|vip| vip.address == to);
    let reach = match lets {
        Some(_) => Reach::Open,
        None if seat.is_filtered(from, to) => Reach::Shut,
        // The balancer itself turns away whom its address is not exposed to.
        None if is_vip => Reach::NotOffered,
        None => return None,
    };
    let purpose = lets.map_or_else(|| format!("only {}", purposes.join("; ")), |flow| flow.purpose.clone());
    let what = What::Port { from, to: SocketAddrV4::new(to, port), reach };
    Some(Expectation::new(what, purpose, look(seat, (from, to, port), reach, is_vip)))
}

fn look(seat: &Seat<'_>, (from, to, port): (Ipv4Addr, Ipv4Addr, u16), reach: Reach, is_vip: bool) -> String {
    let filter = format!("`nft list table inet fmc_lab` on {}", seat.lab.host.name);
    let filtered = seat.is_filtered(from, to);
    match (reach, is_vip) {
        (Reach::Open, true) => format!("`fmc-lbctl status` and `fmc-lbctl backends` on {}", seat.balancers()),
        (Reach::Open, false) if filtered => format!("`ss -ltn sport = {port}` on {}, then {filter}", seat.name_of(to)),
        (Reach::Open, false) => format!("`ss -ltn sport = {port}` on {}", seat.name_of(to)),
        (Reach::Shut, _) => filter,
        (Reach::NotOffered, _) => format!("`allow` in /etc/fmc-lb/fmc-lb.toml of {}", seat.balancers()),
    }
}

/// At the public address: what is forwarded, and of all that the lab has nothing else.
fn public(seat: &Seat<'_>, doors: &Doors) -> Vec<Expectation> {
    let Some(public) = seat.vantage.public else { return Vec::new() };
    let Some(from) = seat.source(public).filter(|from| !seat.is_inside(*from)) else { return Vec::new() };
    let tcp = seat.lab.forwards.iter().map(|(_, forward)| forward).filter(|it| it.protocol == Protocol::Tcp);
    let mut ports: BTreeMap<u16, (Reach, String)> =
        doors.iter().map(|((_, port), why)| (*port, (Reach::NotOffered, format!("only {}", why[0])))).collect();
    for forward in tcp {
        let open = seat.lab.beyond_cdn().is_none_or(|cdn| cdn.iter().any(|prefix| prefix.contains(&from)));
        let to = forward.vip.as_ref().map_or_else(String::new, ToString::to_string);
        let purpose = format!("forward to {to}:{}", forward.to_port);
        let reach = if open { Reach::Open } else { Reach::NotOffered };
        ports.insert(forward.port.get(), (reach, purpose));
    }
    let expectation = |(port, (reach, purpose)): (u16, (Reach, String))| {
        let what = What::Port { from, to: SocketAddrV4::new(public, port), reach };
        Expectation::new(what, purpose, "the forwards of router.txt, in the router or the gateway")
    };
    ports.into_iter().map(expectation).collect()
}
