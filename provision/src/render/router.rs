//! The router of the LAN, which nobody configures from here: what to type into it, as text.

use std::net::Ipv4Addr;

use super::{Files, RENDERED};
use crate::inventory::Forward;
use crate::lab::Lab;

pub(super) fn render(lab: &Lab, files: &mut Files) {
    let Some((_, way)) = &lab.way else { return };
    let Some(lan) = lab.network_of(lab.host_address) else { return };
    let routes = lab.routed().map(|network| format!("{:<18} via {}\n", network.prefix.to_string(), lab.host_address));
    let mut text =
        format!("{RENDERED}\n# The router {}. Static routes:\n\n{}", lan.gateway, routes.collect::<String>());
    if way.gateway.is_none() {
        let forwards = lab.forwards.iter().filter_map(|(_, forward)| line(lab, forward));
        text += &format!("\n# Forwards from its public address:\n\n{}", forwards.collect::<String>());
    }
    files.add("router.txt", "what to type into the router of the LAN", text);
}

fn line(lab: &Lab, forward: &Forward) -> Option<String> {
    let (address, purpose): (Ipv4Addr, String) = match &forward.vip {
        Some(name) => (lab.vip(name)?.address, format!("the VIP {name}")),
        None => (lab.vpn_server_address()?, "the tunnel".to_owned()),
    };
    let (port, to) = (forward.port.to_string(), format!("{address}:{}", forward.to_port));
    Some(format!("{} {port:<5} to {to:<21} {purpose}\n", forward.protocol.word()))
}
