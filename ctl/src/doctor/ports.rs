//! Ports that the service needs and another program has.

use super::site::Site;
use super::{Findings, Message};
use crate::program;

/// A socket that listens, as `ss` shows it.
#[derive(Debug, PartialEq, Eq)]
struct Listening<'a> {
    address: &'a str,
    port: u16,
    /// `haproxy (pid 7)`; `None`: not to be known.
    holder: Option<String>,
    is_ours: bool,
}

pub(super) fn examine(site: &Site, found: &mut Findings) {
    let (tcp, udp) = (program::text("ss", &["-Hlntp"]), program::text("ss", &["-Hlnup"]));
    let (tcp, udp) = (tcp.unwrap_or_default(), udp.unwrap_or_default());
    let own = site.node.address.to_string();
    let pair = site.config.pair.port.get();
    let mut wanted: Vec<(&str, String, u16)> = vec![("udp", own.clone(), pair)];
    if site.config.pair.key_file.is_some() {
        wanted.push(("tcp", own, pair));
    }
    for frontend in &site.config.frontends {
        wanted.extend(
            frontend
                .ports
                .iter()
                .map(|route| (frontend.protocol.word(), frontend.address.to_string(), route.listen.get())),
        );
    }
    let status = site.config.admin.listen.iter().map(|listen| listen.on(site.node.address));
    wanted.extend(status.map(|address| ("tcp", address.ip().to_string(), address.port())));
    let mut free = true;
    for (protocol, address, port) in wanted {
        let listed = if protocol == "tcp" { &tcp } else { &udp };
        let Some(taken) = listeners(listed).find(|other| other.port == port && other.clashes_with(&address)) else {
            continue;
        };
        if !taken.is_ours {
            free = false;
            let holder = taken.holder.unwrap_or_else(|| format!("{}:{port}", taken.address));
            found.wrong("ports", &Message::PortTaken(format!("{address}:{port}/{protocol}"), holder));
        }
    }
    if free {
        found.good("ports", &Message::PortsFree());
    }
}

impl Listening<'_> {
    fn clashes_with(&self, address: &str) -> bool {
        let bare = self.address.trim_start_matches('[').trim_end_matches(']');
        // One of IPv6 for every address is one of IPv4 too, unless it says otherwise; ss then shows a star.
        matches!(bare, "*" | "::") || (bare == "0.0.0.0" && !address.contains(':')) || bare == address
    }
}

/// `LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=7,fd=3))` (ss(8)).
fn listeners(listed: &str) -> impl Iterator<Item = Listening<'_>> {
    listed.lines().filter_map(|line| {
        let (address, port) = line.split_whitespace().nth(3)?.rsplit_once(':')?;
        let users = line.split_once("users:((\"").map(|(_, users)| users);
        let name = users.and_then(|users| users.split_once('"')).map(|(name, _)| name);
        let pid = users.and_then(|users| users.split_once("pid=")).map(|(_, rest)| rest);
        let pid = pid.and_then(|rest| rest.split([',', ')']).next());
        let holder = name.zip(pid).map(|(name, pid)| format!("{name} (pid {pid})"));
        let address = address.split_once('%').map_or(address, |(address, _)| address);
        Some(Listening {
            address,
            port: port.parse().ok()?,
            holder,
            is_ours: name.is_some_and(|name| name.starts_with("fmc-lb")),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_has_a_place_and_a_holder() {
        let listed = "LISTEN 0 4096 0.0.0.0:6443 0.0.0.0:* users:((\"haproxy\",pid=12,fd=7))\n\
                      LISTEN 0 128 127.0.0.53%lo:53 0.0.0.0:*\nLISTEN 0 128 *:80 *:* users:((\"fmc-lb-proxy\",pid=9,fd=4))\n";
        let all: Vec<Listening<'_>> = listeners(listed).collect();
        assert_eq!(all[0].holder.as_deref(), Some("haproxy (pid 12)"));
        assert!(all[0].clashes_with("192.168.0.32") && !all[0].is_ours);
        assert_eq!((all[1].address, all[1].port, &all[1].holder), ("127.0.0.53", 53, &None));
        assert!(!all[1].clashes_with("192.168.0.32") && all[2].is_ours && all[2].clashes_with("192.168.0.33"));
    }
}
