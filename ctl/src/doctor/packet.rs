//! A packet that this machine has to let in, and what became of it. [core]

use std::net::IpAddr;

/// The first packet of something that has to come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) interface: String,
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    /// IANA's number: 6 TCP, 17 UDP, 112 VRRP.
    pub(crate) protocol: u8,
    /// `None`: the protocol has none.
    pub(crate) port: Option<u16>,
}

/// What a set of rules does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    Passes,
    /// By the rule or the policy that is named.
    Dropped(String),
    /// A rule that is named decides by something that is not known here.
    Unsure(String),
}

/// True, false, or not known here.
pub(super) type Answer = Option<bool>;

/// The first rules that would have decided, if they match.
#[derive(Debug, Default)]
pub(super) struct Maybe {
    accept: Option<String>,
    drop: Option<String>,
}

impl Maybe {
    pub(super) fn accept(&mut self, rule: &str) {
        self.accept.get_or_insert_with(|| rule.to_owned());
    }

    pub(super) fn drop(&mut self, rule: &str) {
        self.drop.get_or_insert_with(|| rule.to_owned());
    }

    pub(super) fn passes(self) -> Fate {
        self.drop.map_or(Fate::Passes, Fate::Unsure)
    }

    pub(super) fn dropped(self, by: String) -> Fate {
        self.accept.map_or(Fate::Dropped(by), Fate::Unsure)
    }
}

/// The number of a protocol by its name in /etc/protocols, as far as a firewall before us names it.
pub(super) fn protocol_number(name: &str) -> Option<u8> {
    let named =
        [("icmp", 1), ("igmp", 2), ("tcp", 6), ("udp", 17), ("esp", 50), ("ah", 51), ("ipv6-icmp", 58), ("vrrp", 112)];
    named.iter().find(|(known, _)| *known == name).map(|(_, number)| *number).or_else(|| name.parse().ok())
}

/// Whether an interface is meant by a pattern that may end in a sign for "anything".
pub(super) fn is_interface(pattern: &str, wildcard: char, interface: &str) -> bool {
    pattern.strip_suffix(wildcard).map_or(pattern == interface, |start| interface.starts_with(start))
}
