//! The Internet side: forwards of a router or a VPS, WireGuard, Cloudflare.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Address, Domain, Name, Prefix, PublicKey, Secret, Span};

/// One way in from the Internet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outside {
    /// A peer of `[vpn]` with a public address, when that is where the Internet arrives; without it at the router of the LAN.
    pub gateway: Option<Name>,
    /// Whoever in the LAN answers for the tunnel: `host`, a machine, a device, or nobody.
    pub vpn_server: Option<Name>,
    /// What is let in.
    #[serde(default)]
    pub forwards: Vec<Forward>,
}

/// A port of the router or the gateway, and where it leads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// Under these plans only; without it under all.
    #[serde(default)]
    pub plans: Vec<Name>,
    /// On the public address.
    pub port: NonZeroU16,
    /// Of the transport.
    #[serde(default)]
    pub protocol: Protocol,
    /// A virtual address; without it the VPN server.
    pub vip: Option<Name>,
    /// The port there.
    pub to_port: NonZeroU16,
}

/// A transport.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// As nftables spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// WireGuard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vpn {
    /// Addresses inside the tunnel.
    pub network: Prefix,
    /// Where the server in the LAN listens (UDP).
    #[serde(default = "port")]
    pub port: NonZeroU16,
    /// The server in the LAN.
    pub server: VpnEndpoint,
    /// Everybody else.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    pub peers: BTreeMap<Name, VpnPeer>,
}

fn port() -> NonZeroU16 {
    NonZeroU16::new(51820).expect("51820 is not 0")
}

/// The server in the LAN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VpnEndpoint {
    /// Its address inside the tunnel.
    pub tunnel: Address,
    /// Its public key.
    pub public_key: PublicKey,
    /// Its private key.
    pub private_key: Secret,
    /// Where peers on the Internet find it.
    pub endpoint: Option<Domain>,
}

/// Somebody at the other end of the tunnel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VpnPeer {
    /// Its address inside the tunnel.
    pub tunnel: Address,
    /// Its public key.
    pub public_key: PublicKey,
    /// Its private key, where its file is to be written too.
    pub private_key: Option<Secret>,
    /// A public address at which it can be reached, for a gateway.
    pub endpoint: Option<Address>,
}

/// Names at Cloudflare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cloudflare {
    /// The zone.
    pub zone: Domain,
    /// A token that may edit the zone's records.
    pub token: Secret,
    /// How often the address is looked at.
    #[serde(default = "interval")]
    pub interval: Span,
    /// The networks from which it forwards requests of proxied names, as it publishes them; whoever asks from there is believed about the client.
    #[serde(default)]
    pub ranges: Vec<Prefix>,
    /// The names that follow the public address.
    #[schemars(extend("propertyNames" = { "format": "domain" }))]
    pub names: BTreeMap<Domain, CloudflareName>,
}

fn interval() -> Span {
    Span(std::time::Duration::from_secs(300))
}

/// One name at Cloudflare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudflareName {
    /// Whether visitors meet Cloudflare (CDN, WAF) instead of our address.
    #[serde(default)]
    pub proxied: bool,
    /// An AAAA record too.
    #[serde(default)]
    pub ipv6: bool,
}
