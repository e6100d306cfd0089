//! What the configuration means on this machine: which node it is, and on which interface each VIP lives.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;

use fmc_config::model::Config;
use fmc_config::model::node::Node;
use serde_json::Value;

use super::{Findings, Message};
use crate::program;

/// The configuration, and this machine's place in it.
pub(super) struct Site {
    pub(super) config: Config,
    pub(super) node: Node,
    pub(super) addresses: Vec<Held>,
}

/// An address of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) interface: String,
    pub(super) address: IpAddr,
    /// It carries the mark of fmc-lb.
    pub(super) is_ours: bool,
    /// It has no end: nobody renews it.
    pub(super) forever: bool,
}

impl Site {
    /// `None`: there is none, and why was noted.
    pub(super) fn read(file: &Path, before_installation: bool, found: &mut Findings) -> Option<Self> {
        let name = file.display().to_string();
        let config = match std::fs::read_to_string(file) {
            Err(error) if before_installation && error.kind() == ErrorKind::NotFound => {
                found.note("configuration", &Message::NoConfigurationYet(name));
                return None;
            }
            Err(error) => {
                found.wrong("configuration", &Message::NoConfiguration(name, error.to_string()));
                return None;
            }
            Ok(text) => match Config::parse(&text, &name) {
                Err(_) => {
                    found.wrong("configuration", &Message::WrongConfiguration(name));
                    return None;
                }
                Ok(config) => config,
            },
        };
        let addresses = program::json("ip", &["-j", "address"]).map(|listed| held(&listed)).unwrap_or_default();
        let is_here = |node: &&Node| addresses.iter().any(|held| node.owns(held.address));
        let Some(node) = config.nodes.iter().find(is_here).cloned() else {
            let known: Vec<String> = config.nodes.iter().map(|node| node.address.to_string()).collect();
            found.wrong("configuration", &Message::NoSuchNode(known.join(", ")));
            return None;
        };
        found.good("configuration", &Message::Configured(name, node.name.to_string()));
        Some(Self { config, node, addresses })
    }

    /// The other nodes.
    pub(super) fn others(&self) -> impl Iterator<Item = &Node> {
        self.config.nodes.iter().filter(|node| node.name != self.node.name)
    }

    /// The interface that holds the node's own address.
    pub(super) fn own_interface(&self) -> Option<&str> {
        let own = |held: &&Held| held.address == self.node.address;
        self.addresses.iter().find(own).map(|held| held.interface.as_str())
    }

    /// Every VIP and its interface here.
    pub(super) fn vips(&self) -> impl Iterator<Item = (&fmc_config::model::vip::Vip, &str)> {
        self.config.vips.iter().filter_map(|vip| {
            let named = vip.interface_on(&self.node).map(|name| name.as_str());
            Some((vip, named.or_else(|| self.own_interface())?))
        })
    }

    /// The interfaces that carry VIPs, each once.
    pub(super) fn interfaces(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.vips().map(|(_, interface)| interface).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The longest lifetime of an address of ours, which is renewed all the time; IPv6 has no label that could say whose it is.
const LEASE_SECONDS: u64 = 2;

/// From `ip -j address`.
fn held(listed: &Value) -> Vec<Held> {
    let links = listed.as_array().map(Vec::as_slice).unwrap_or_default();
    let of_link = |link: &Value| {
        let interface = link["ifname"].as_str().unwrap_or_default().to_owned();
        let of = |one: &Value| {
            Some(Held {
                interface: interface.clone(),
                address: one["local"].as_str()?.parse().ok()?,
                is_ours: match one["label"].as_str() {
                    Some(label) => label.ends_with(":fmc"),
                    None => one["valid_life_time"].as_u64().is_some_and(|seconds| seconds <= LEASE_SECONDS),
                },
                forever: one["valid_life_time"].as_u64().is_none_or(|seconds| seconds == u64::from(u32::MAX)),
            })
        };
        link["addr_info"].as_array().into_iter().flatten().filter_map(of).collect::<Vec<_>>()
    };
    links.iter().flat_map(of_link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ours_is_told_from_one_that_somebody_set_for_ever() {
        let listed = serde_json::json!([{"ifname": "eth0", "addr_info": [
            {"local": "192.168.0.30", "label": "eth0", "valid_life_time": 4_294_967_295_u64},
            {"local": "192.168.0.32", "label": "eth0:fmc", "valid_life_time": 1},
            {"local": "fd00::30", "valid_life_time": 4_294_967_295_u64},
            {"local": "fd00::31", "valid_life_time": 86_400},
            {"local": "fd00::32", "valid_life_time": 1},
        ]}]);
        let of = |held: &Held| (held.address.to_string(), held.is_ours, held.forever);
        let expected = [
            ("192.168.0.30", false, true),
            ("192.168.0.32", true, false),
            ("fd00::30", false, true),
            ("fd00::31", false, false),
            ("fd00::32", true, false),
        ];
        let expected = expected.map(|(address, is_ours, forever)| (address.to_owned(), is_ours, forever));
        assert_eq!(held(&listed).iter().map(of).collect::<Vec<_>>(), expected);
    }
}
