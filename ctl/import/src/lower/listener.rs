//! A `bind` line (configuration.txt 5.1): addresses, ports, and what its options say.

use std::net::IpAddr;

use fmc_config::model::family::Family;

use super::member::unbracketed;
use crate::haproxy::Statement;
use crate::ledger::{At, Ledger};

/// Where a proxy listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) at: At,
    /// `None`: on every address of the family.
    pub(super) address: Option<IpAddr>,
    /// `None`: of both.
    pub(super) family: Option<Family>,
    pub(super) ports: Vec<u16>,
    pub(super) accept_proxy: bool,
    pub(super) max_connections: Option<u32>,
}

/// More ports on one line than a person types is a range of something else.
const MOST_PORTS: u16 = 64;

/// The listeners of a line; what cannot be had is refused where it stands.
pub(super) fn read(statement: &Statement, ledger: &mut Ledger) -> Vec<Listener> {
    let at = statement.at;
    let Some(Options { accept_proxy, max_connections, only_6 }) = options(statement, ledger) else { return Vec::new() };
    let mut listeners = Vec::new();
    for text in statement.word(1).split(',').filter(|text| !text.is_empty()) {
        match place(text) {
            Ok(Place { address, family, ports }) => {
                let family = family.or(only_6.then_some(Family::V6));
                listeners.push(Listener { at, address, family, ports, accept_proxy, max_connections });
            }
            Err(words) => ledger.refuse(at, words),
        }
    }
    listeners
}

/// Where a listener is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    address: Option<IpAddr>,
    family: Option<Family>,
    ports: Vec<u16>,
}

/// The words before an address, and what one without an address is of then.
const FAMILIES: [(&str, Option<Family>); 5] = [
    ("ipv4@", Some(Family::V4)),
    ("tcp4@", Some(Family::V4)),
    ("ipv6@", Some(Family::V6)),
    ("tcp6@", Some(Family::V6)),
    ("tcp@", None),
];

fn place(text: &str) -> Result<Place, String> {
    let named = FAMILIES.iter().find_map(|(word, family)| Some((text.strip_prefix(word)?, *family)));
    let (text, family) = named.unwrap_or((text, None));
    if let Some((family, _)) = text.split_once('@') {
        return Err(format!("{family}@ is no TCP listener on a virtual address"));
    }
    if text.starts_with('/') {
        return Err("a unix socket is no service on a virtual address".to_owned());
    }
    let Some((address, ports)) = text.rsplit_once(':') else { return Err(format!("{text:?} has no port")) };
    let (address, family) = match unbracketed(address) {
        "" | "*" | "0.0.0.0" => (None, family.or(Some(Family::V4))),
        "::" => (None, family),
        address => {
            let wrong = |_| format!("{address:?} is no address; names are not resolved");
            let address = address.parse::<IpAddr>().map_err(wrong)?.to_canonical();
            (Some(address), Some(Family::of(address)))
        }
    };
    let ports = range(ports).ok_or_else(|| format!("{ports:?} is no port, nor a range of at most {MOST_PORTS}"))?;
    Ok(Place { address, family, ports })
}

fn range(text: &str) -> Option<Vec<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first != 0 && first <= last && last - first < MOST_PORTS).then(|| (first..=last).collect())
}

/// Options without a word of ours: how many words follow, and what the line is without them.
const OPTIONS: [(&[&str], usize, &str); 6] = [
    (&["transparent"], 0, "listeners are bound on every node, whoever owns the address"),
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

/// What the words behind the place say.
struct Options {
    accept_proxy: bool,
    max_connections: Option<u32>,
    /// `::` is not every address of IPv4 too.
    only_6: bool,
}

/// `None`: TLS ends here, which nothing of ours does, or a word is not known.
fn options(statement: &Statement, ledger: &mut Ledger) -> Option<Options> {
    let (mut accept_proxy, mut most, mut only_6) = (false, None, false);
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
            "v4v6" => {}
            "v6only" => only_6 = true,
            other => {
                ledger.refuse(statement.at, format!("{other} is no option of a bind that this import knows"));
                return None;
            }
        }
    }
    Some(Options { accept_proxy, max_connections: most, only_6 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_is_an_address_and_ports() {
        let any = |family, ports: &[u16]| Ok(Place { address: None, family, ports: ports.to_vec() });
        let one = |address: &str, port| {
            let address: IpAddr = address.parse().unwrap();
            Ok(Place { address: Some(address), family: Some(Family::of(address)), ports: vec![port] })
        };
        assert_eq!(place("*:443"), any(Some(Family::V4), &[443]));
        assert_eq!(place(":80-82"), any(Some(Family::V4), &[80, 81, 82]));
        assert_eq!(place("ipv4@10.0.0.1:53"), one("10.0.0.1", 53));
        for both in ["[::]:443", ":::443"] {
            assert_eq!(place(both), any(None, &[443]), "{both}");
        }
        assert_eq!(place("ipv6@:80"), any(Some(Family::V6), &[80]));
        for of_6 in ["[fd00::32]:6443", "fd00::32:6443", "ipv6@fd00::32:6443"] {
            assert_eq!(place(of_6), one("fd00::32", 6443), "{of_6}");
        }
        assert_eq!(place("[::ffff:10.0.0.1]:53"), one("10.0.0.1", 53));
        for wrong in ["10.0.0.1", "fd00::32", "/run/x.sock", "*:0", "*:90-80", "*:1-60000", "host:80", "*:"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
