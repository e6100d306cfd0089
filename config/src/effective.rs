//! A configuration as TOML with every default written out, so that an operator sees what the short file means.

mod backend;
mod frontend;
mod text;

use crate::model::Config;
use crate::model::election::{AuthHmac, Election, Failback, Version};
use crate::model::node::Node;
use crate::model::service::{Admin, Dns, Limits, Pair, Remote};
use crate::model::vip::Vip;
use crate::span_of_time;
use crate::words;
use text::{Text, key, list, quoted};

/// The file that [`Config::parse`] reads as an equal configuration.
pub(crate) fn write(config: &Config) -> String {
    let mut text =
        Text::new("The full result: every default written out. It may be used as a configuration file itself.");
    nodes(&mut text, &config.nodes);
    election(&mut text, &config.election);
    config.vips.iter().for_each(|vip| self::vip(&mut text, vip));
    config.frontends.iter().for_each(|frontend| frontend::write(&mut text, frontend));
    config.backends.iter().for_each(|backend| backend::write(&mut text, backend, &config.frontends));
    dns(&mut text, &config.dns);
    pair(&mut text, &config.pair);
    admin(&mut text, &config.admin);
    limits(&mut text, &config.limits);
    text.into_string()
}

fn nodes(text: &mut Text, nodes: &[Node]) {
    text.table("[nodes]", "in order of preference");
    for Node { name, address, interface, other_addresses, rank: _ } in nodes {
        let name = key(name.as_str());
        if interface.is_none() && other_addresses.is_empty() {
            text.line(&name, quoted(address), "on the interface that holds this address");
            continue;
        }
        let mut fields = vec![format!("address = {}", quoted(address))];
        fields.extend(interface.iter().map(|interface| format!("interface = {}", quoted(interface))));
        if !other_addresses.is_empty() {
            fields.push(format!("other_addresses = {}", list(other_addresses.iter().map(quoted))));
        }
        text.line(&name, format!("{{ {} }}", fields.join(", ")), "");
    }
}

fn election(text: &mut Text, election: &Election) {
    let Election { interval, failback, priority, version, transport, auth_hmac } = election;
    text.table("[election]", "");
    if matches!(version, Version::V2(_)) {
        text.line("profile", quoted("compat"), "VRRPv2");
    }
    let detection = span_of_time::format(interval.duration() * 3);
    let interval = quoted(span_of_time::format(interval.duration()));
    text.line("advertisement_interval", interval, &format!("a silent owner is replaced after about {detection}"));
    let failback = match failback {
        Failback::Never => "never".to_owned(),
        Failback::Always => "always".to_owned(),
        Failback::After(delay) => format!("after {}", span_of_time::format(*delay)),
    };
    text.line("failback", quoted(failback), "when a preferred node takes a VIP back from one that serves well");
    text.line("priority", priority.to_string(), "of the first node when it is fit");
    text.line("transport", quoted(words::word(words::TRANSPORT, *transport)), "of advertisements");
    match version {
        Version::V3(checksum) => {
            let word = words::word(words::CHECKSUM, *checksum);
            text.line("checksum", quoted(word), "as sent; both forms are received");
        }
        Version::V2(Some(password)) => {
            text.line("password", quoted(password.text().collect::<String>()), "everyone on the network reads it");
        }
        Version::V2(None) => text.remark("password: none"),
    }
    let Some(AuthHmac { key_file, mode }) = auth_hmac else {
        return text.remark("auth_hmac: none, advertisements are not signed");
    };
    text.table("[election.auth_hmac]", "signed advertisements");
    text.line("key_file", quoted(key_file.display()), "the first key signs, every one is accepted");
    text.line("mode", quoted(words::word(words::AUTH_MODE, *mode)), "");
}

fn vip(text: &mut Text, vip: &Vip) {
    let Vip { name, address, follows, virtual_router_id, virtual_mac, interfaces } = vip;
    text.table(&format!("[vips.{}]", key(name.as_str())), "");
    text.line("address", quoted(address), "");
    match follows {
        Some(leader) => text.line("follows", quoted(leader), "one election gives both addresses to one owner"),
        None => {
            text.line("virtual_router_id", virtual_router_id.to_string(), "");
            let whose = if *virtual_mac { "00-00-5E-00-01-{VRID}, over IPv6 02" } else { "that of the owner's card" };
            text.line("virtual_mac", virtual_mac.to_string(), whose);
        }
    }
    if interfaces.is_empty() {
        text.remark("interface: each node's own");
    } else {
        let named = |(node, interface): &(_, _)| named(node, interface);
        text.line("interface", format!("{{ {} }}", interfaces.iter().map(named).collect::<Vec<_>>().join(", ")), "");
    }
}

fn named(node: &crate::model::name::NodeName, interface: &crate::model::node::InterfaceName) -> String {
    format!("{} = {}", key(node.as_str()), quoted(interface))
}

fn dns(text: &mut Text, Dns { resolvers, min_ttl, max_ttl, hold }: &Dns) {
    text.table("[dns]", "for servers that have a name in the place of an address");
    match resolvers.is_empty() {
        true => text.remark("resolvers: those of /etc/resolv.conf"),
        false => text.line("resolvers", list(resolvers.iter().map(quoted)), ""),
    }
    text.line("min_ttl", quoted(span_of_time::format(*min_ttl)), "an answer is good for that long at least");
    text.line("max_ttl", quoted(span_of_time::format(*max_ttl)), "and for that long at most");
    let hold = hold.map_or_else(|| "never".to_owned(), span_of_time::format);
    text.line("hold", quoted(hold), "then the last good answer is given up");
}

fn pair(text: &mut Text, Pair { port, key_file }: &Pair) {
    text.table("[pair]", "heartbeat between the nodes");
    text.line("port", port.to_string(), "UDP, on every node");
    match key_file {
        Some(file) => text.line("key_file", quoted(file.display()), ""),
        None => text.remark("key_file: none, heartbeats are unsigned"),
    }
}

fn admin(text: &mut Text, Admin { listen, allow, remote }: &Admin) {
    text.table("[admin]", "status page, metrics, read-only JSON");
    text.line("listen", list(listen.iter().map(quoted)), "");
    if allow.is_empty() {
        text.remark("allow: loopback only");
    } else {
        text.line("allow", list(allow.iter().map(quoted)), "loopback may always");
    }
    match remote {
        Some(remote) => self::remote(text, remote),
        None => text.remark("remote: none, commands are taken on the node alone"),
    }
}

fn remote(text: &mut Text, Remote { listen, cert_file, key_file, token_file, client_ca_file, allow }: &Remote) {
    text.table("[admin.remote]", "the same over TLS, with commands");
    text.line("listen", list(listen.iter().map(quoted)), "");
    text.line("cert_file", quoted(cert_file.display()), "");
    text.line("key_file", quoted(key_file.display()), "");
    match token_file {
        Some(file) => text.line("token_file", quoted(file.display()), "who may command"),
        None => text.remark("token_file: none, whoever shows a certificate may command"),
    }
    match client_ca_file {
        Some(file) => text.line("client_ca_file", quoted(file.display()), "whose certificates clients must show"),
        None => text.remark("client_ca_file: none, clients show no certificate"),
    }
    match allow.is_empty() {
        true => text.remark("allow: loopback only"),
        false => text.line("allow", list(allow.iter().map(quoted)), "loopback may always"),
    }
}

fn limits(text: &mut Text, Limits { max_connections, max_memory_mib, check_commands }: &Limits) {
    text.table("[limits]", "");
    text.line("max_connections", max_connections.to_string(), "relays alive at once over all frontends");
    match max_memory_mib {
        Some(mib) => text.line("max_memory_mib", mib.to_string(), "of the proxy and of TCP sockets"),
        None => text.remark("max_memory_mib: half of what the service may have"),
    }
    text.line("check_commands", check_commands.to_string(), "whether health checks may start programs");
}
