//! The way in from the Internet: what is forwarded and what is open are the same, and Cloudflare can use it.

use std::collections::BTreeMap;

use fmc_config::findings::Findings;

use super::Checking;
use crate::inventory::{Challenge, Forward, Protocol};
use crate::lab::Client;
use crate::rule::Broken;

/// Where Cloudflare's proxy reaches an origin by TLS; on its other ports it speaks plain HTTP.
const TLS_PORTS: [u16; 6] = [443, 2053, 2083, 2087, 2096, 8443];

pub(super) fn check(checking: &Checking<'_>, findings: &mut Findings) {
    let Some((name, _)) = &checking.lab.way else { return };
    let mut first: BTreeMap<(Protocol, u16), String> = BTreeMap::new();
    for (at, forward) in &checking.lab.forwards {
        let field = format!("ways.{name}.forwards[{at}]");
        if let Some(other) = first.insert((forward.protocol, forward.port.get()), field.clone()) {
            let problem = format!("public port {} is forwarded twice", forward.port);
            checking.report(Broken::ForwardTwice, &format!("{field}.port"), problem, "remove one of the two", findings);
            findings.because(&checking.places.at(&other), "the other one");
        }
        target(checking, forward, &field, findings);
        proxied(checking, forward, &field, findings);
    }
    exposed(checking, findings);
    challenge(checking, findings);
}

fn target(checking: &Checking<'_>, forward: &Forward, field: &str, findings: &mut Findings) {
    let Some(vip) = forward.vip.as_ref().and_then(|name| checking.lab.vip(name)) else {
        let tunnel = checking
            .lab
            .vpn
            .as_ref()
            .is_some_and(|vpn| forward.protocol == Protocol::Udp && vpn.port == forward.to_port);
        if !tunnel {
            let problem = format!("nothing of the VPN listens on {} {}", forward.protocol.word(), forward.to_port);
            let fix = "name a virtual address in `vip`, or forward the VPN's own port by `protocol = \"udp\"`";
            checking.report(Broken::ForwardToNothing, field, problem, fix, findings);
        }
        return;
    };
    let served: Vec<_> = vip.services.iter().flat_map(|service| &service.ports).map(|(port, _)| *port).collect();
    if forward.protocol == Protocol::Udp || !served.contains(&forward.to_port.get()) {
        let problem = format!("{} serves nothing on {} {}", vip.name, forward.protocol.word(), forward.to_port);
        let ports: Vec<_> = served.iter().map(u16::to_string).collect();
        let fix = format!("lead to one of its ports by TCP: {}", ports.join(", "));
        checking.report(Broken::ForwardToNothing, &format!("{field}.to_port"), problem, fix, findings);
    } else if !vip.expose.contains(&Client::Internet) {
        let problem = format!("{} is not open to the Internet", vip.name);
        let fix = format!("remove the forward, or add \"internet\" to vips.{}.expose", vip.name);
        checking.report(Broken::ForwardNotExposed, field, problem, fix, findings);
        findings.because(&checking.places.at(&format!("vips.{}.expose", vip.name)), "who may connect");
    }
}

fn exposed(checking: &Checking<'_>, findings: &mut Findings) {
    for vip in checking.lab.vips.iter().filter(|vip| vip.expose.contains(&Client::Internet)) {
        let led = checking.lab.forwards.iter().any(|(_, forward)| forward.vip.as_ref() == Some(&vip.name));
        if !led {
            let problem = "it is open to the Internet, and no forward of this way leads to it".to_owned();
            let fix = format!("add a forward with `vip = \"{}\"`, or remove \"internet\"", vip.name);
            checking.report(
                Broken::ExposedWithoutForward,
                &format!("vips.{}.expose", vip.name),
                problem,
                fix,
                findings,
            );
        }
    }
}

fn proxied(checking: &Checking<'_>, forward: &Forward, field: &str, findings: &mut Findings) {
    let Some(cloudflare) = &checking.lab.cloudflare else { return };
    let Some(name) = cloudflare.names.iter().find(|(_, name)| name.proxied).map(|(name, _)| name) else { return };
    let port = forward.port.get();
    if forward.protocol == Protocol::Tcp && forward.to_port.get() == 443 && !TLS_PORTS.contains(&port) {
        let problem =
            format!("{name} is proxied, and Cloudflare speaks plain HTTP on port {port}: TLS is expected at port 443");
        let fix = format!("forward {} instead of {port}", if port == 2052 { 2053 } else { 443 });
        checking.report(Broken::ProxiedPort, &format!("{field}.port"), problem, fix, findings);
    }
}

/// RFC 8555 §8.3: the challenge is fetched from port 80 of the name.
fn challenge(checking: &Checking<'_>, findings: &mut Findings) {
    let http = checking.lab.tls.as_ref().is_some_and(|tls| tls.challenge == Challenge::Http01);
    let open = checking.lab.forwards.iter().any(|(_, forward)| forward.port.get() == 80 && forward.to_port.get() == 80);
    if http && !open {
        let problem = "HTTP-01 is answered on port 80, which is not forwarded".to_owned();
        let fix = "write \"dns-01\", which needs no port, or forward port 80";
        checking.report(Broken::ChallengeWithoutPort, "tls.challenge", problem, fix, findings);
    }
}
