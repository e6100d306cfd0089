//! Which of the configured nodes this machine is.

use std::net::IpAddr;

use fmc_config::model::Config;
use fmc_config::model::node::Node;

/// Why this machine is none of the nodes, or more than one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    #[error("--node {0}: the configuration has no such node; it has {1}")]
    NoSuchNode(String, String),
    #[error(
        "none of this machine's addresses ({0}) is one of the nodes' ({1}): name the node with --node, or correct [nodes]"
    )]
    NotANode(String, String),
    #[error("this machine has the addresses of {0} and {1}: name the node with --node")]
    TwoNodes(String, String),
    #[error("cannot list this machine's addresses: {0}")]
    Addresses(nix::Error),
}

/// The node called `name`, or else the one whose address this machine owns.
pub(crate) fn identify<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Node, NodeError> {
    match name {
        Some(name) => {
            config.nodes.iter().find(|node| node.name.as_str() == name).ok_or_else(|| {
                NodeError::NoSuchNode(name.to_owned(), words(config.nodes.iter().map(|node| &node.name)))
            })
        }
        None => by_address(config, &own_addresses()?),
    }
}

fn by_address<'a>(config: &'a Config, own: &[IpAddr]) -> Result<&'a Node, NodeError> {
    let mut ours = config.nodes.iter().filter(|node| own.contains(&node.address));
    match (ours.next(), ours.next()) {
        (Some(node), None) => Ok(node),
        (Some(one), Some(two)) => Err(NodeError::TwoNodes(one.name.to_string(), two.name.to_string())),
        (None, _) => Err(NodeError::NotANode(words(own), words(config.nodes.iter().map(|node| node.address)))),
    }
}

fn own_addresses() -> Result<Vec<IpAddr>, NodeError> {
    let interfaces = nix::ifaddrs::getifaddrs().map_err(NodeError::Addresses)?;
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or(address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    });
    Ok(addresses.filter(|address| !address.is_loopback() && !is_link_local(*address)).collect())
}

/// What no node is named by, and every interface has.
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn words<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
