//! A `bind` line (configuration.txt 5.1): addresses, ports, and what its options say.

use std::net::Ipv4Addr;

use crate::haproxy::Statement;
use crate::ledger::{At, Ledger};

/// Where a proxy listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) at: At,
    /// `None`: on every address.
    pub(super) address: Option<Ipv4Addr>,
    pub(super) ports: Vec<u16>,
    pub(super) accept_proxy: bool,
    pub(super) max_connections: Option<u32>,
}

/// More ports on one line than a person types is a range of something else.
const MOST_PORTS: u16 = 64;

/// The listeners of a line; what cannot be had is refused where it stands.
pub(super) fn read(statement: &Statement, ledger: &mut Ledger) -> Vec<Listener> {
    let at = statement.at;
    let Some((accept_proxy, max_connections)) = options(statement, ledger) else { return Vec::new() };
    let mut listeners = Vec::new();
    for text in statement.word(1).split(',').filter(|text| !text.is_empty()) {
        match place(text) {
            Ok((address, ports)) => listeners.push(Listener { at, address, ports, accept_proxy, max_connections }),
            Err(words) => ledger.refuse(at, words),
        }
    }
    listeners
}

fn place(text: &str) -> Result<(Option<Ipv4Addr>, Vec<u16>), String> {
    let text = ["ipv4@", "tcp4@", "tcp@"].iter().find_map(|family| text.strip_prefix(family)).unwrap_or(text);
    if let Some((family, _)) = text.split_once('@') {
        return Err(format!("{family}@ is no IPv4 listener: VIPs are IPv4 addresses"));
    }
    if text.starts_with('/') {
        return Err("a unix socket is no service on a virtual address".to_owned());
    }
    let Some((address, ports)) = text.rsplit_once(':') else { return Err(format!("{text:?} has no port")) };
    let address = match address {
        "" | "*" | "0.0.0.0" => None,
        "::" | "[::]" => None,
        address if address.contains(':') => return Err(format!("{address}: IPv6 is not built")),
        address => {
            Some(address.parse().map_err(|_| format!("{address:?} is no IPv4 address; names are not resolved"))?)
        }
    };
    Ok((address, range(ports).ok_or_else(|| format!("{ports:?} is no port, nor a range of at most {MOST_PORTS}"))?))
}

fn range(text: &str) -> Option<Vec<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first != 0 && first <= last && last - first < MOST_PORTS).then(|| (first..=last).collect())
}

/// Options without a word of ours: how many words follow, and what the line is without them.
const OPTIONS: [(&[&str], usize, &str); 7] = [
    (&["transparent"], 0, "listeners are bound on every node, whoever owns the address"),
    (&["v4v6"], 0, "IPv4 alone: IPv6 is not built"),
    (&["defer-accept", "tfo", "allow-0rtt"], 0, "has no effect on who gets a connection"),
    (
        &[
            "name",
            "id",
            "guid-prefix",
            "nice",
            "process",
            "thread",
            "shards",
            "level",
            "mode",
            "user",
            "group",
            "uid",
            "gid",
            "backlog",
            "mss",
            "cc",
            "label",
        ],
        1,
        "a setting of HAProxy's process",
    ),
    (&["interface", "namespace"], 1, "the address decides where it is reached"),
    (&["tcp-ut"], 1, "see client_user_timeout of a frontend"),
    (&["alpn", "npn", "ciphers", "ciphersuites", "ssl-min-ver", "ssl-max-ver", "curves"], 1, "TLS is not ended here"),
];

/// Whether a PROXY header is expected, and the limit; `None`: TLS ends here, which nothing of ours does.
fn options(statement: &Statement, ledger: &mut Ledger) -> Option<(bool, Option<u32>)> {
    let (mut accept_proxy, mut most) = (false, None);
    let mut words = statement.from(2).iter().map(String::as_str);
    while let Some(word) = words.next() {
        if let Some((_, arguments, why)) = OPTIONS.iter().find(|(names, ..)| names.contains(&word)) {
            for _ in 0..*arguments {
                words.next();
            }
            ledger.changed(statement.at, format!("{word}: {why}"));
            continue;
        }
        match word {
            "accept-proxy" => accept_proxy = true,
            "maxconn" => most = words.next().and_then(|text| text.parse().ok()).filter(|most| *most > 0),
            "ssl" | "crt" | "crt-list" | "ca-file" | "verify" => {
                ledger.refuse(
                    statement.at,
                    "TLS would end here: this relays bytes, and the certificate belongs to the server behind it",
                );
                return None;
            }
            "v6only" => {
                ledger.refuse(statement.at, "IPv6 is not built");
                return None;
            }
            other => {
                ledger.refuse(statement.at, format!("{other} is no option of a bind that this import knows"));
                return None;
            }
        }
    }
    Some((accept_proxy, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_is_an_address_and_ports() {
        let any = |ports: &[u16]| Ok((None, ports.to_vec()));
        assert_eq!(place("*:443"), any(&[443]));
        assert_eq!(place(":80-82"), any(&[80, 81, 82]));
        assert_eq!(place("ipv4@10.0.0.1:53"), Ok((Some(Ipv4Addr::new(10, 0, 0, 1)), vec![53])));
        for wrong in ["10.0.0.1", "ipv6@:80", "::1:80", "/run/x.sock", "*:0", "*:90-80", "*:1-60000", "host:80", "*:"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
