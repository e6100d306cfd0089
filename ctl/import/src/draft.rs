//! A configuration in the making: what was said and nothing else, so that the file stays short.

use std::net::{IpAddr, SocketAddr};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Tables by name, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Named<T>(pub(crate) Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Named<T> {
    /// Puts `value` in under `name`, or under a name like it that is free.
    pub(crate) fn add(&mut self, name: &str, value: T) -> String {
        let name = self.free(name);
        self.0.push((name.clone(), value));
        name
    }

    fn free(&self, wanted: &str) -> String {
        let wanted = name(wanted);
        let is_free = |name: &String| !self.0.iter().any(|(taken, _)| taken == name);
        let candidates = std::iter::once(wanted.clone()).chain((2..).map(|number| format!("{wanted:.59}-{number}")));
        candidates.into_iter().find(is_free).unwrap_or(wanted)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

/// `typed` with what no name of ours may hold replaced.
pub(crate) fn name(typed: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = typed.chars().take(63).map(allowed).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

/// The file.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Draft {
    pub(crate) nodes: Named<IpAddr>,
    #[serde(skip_serializing_if = "Election::is_default")]
    pub(crate) election: Election,
    pub(crate) vips: Named<Vip>,
    pub(crate) frontends: Named<Frontend>,
    pub(crate) backends: Named<Backend>,
    pub(crate) limits: Option<Limits>,
}

/// `[election]`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Election {
    pub(crate) profile: Option<&'static str>,
    pub(crate) advertisement_interval: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) priority: Option<u8>,
    pub(crate) failback: Option<String>,
    pub(crate) transport: Option<&'static str>,
}

impl Election {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[vips.NAME]`.
#[derive(Debug, Serialize)]
pub(crate) struct Vip {
    pub(crate) address: IpAddr,
    pub(crate) virtual_router_id: Option<u8>,
    pub(crate) virtual_mac: Option<bool>,
    pub(crate) follows: Option<String>,
    pub(crate) interface: Option<Interface>,
}

/// One name for every node, or one for each.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Interface {
    Same(String),
    Each(Named<String>),
}

/// `[frontends.NAME]`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Frontend {
    pub(crate) vip: String,
    pub(crate) port: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ports: Vec<u16>,
    pub(crate) profile: Option<&'static str>,
    pub(crate) backend: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allow: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) accept_proxy: Vec<String>,
    pub(crate) preface_timeout: Option<String>,
    pub(crate) max_connections: Option<u32>,
    pub(crate) max_per_second: Option<u32>,
    pub(crate) idle_timeout: Option<String>,
    pub(crate) half_close_timeout: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) routes: Vec<Route>,
}

/// One of `routes`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Route {
    #[serde(flatten)]
    pub(crate) conditions: Conditions,
    pub(crate) backend: String,
}

/// What must hold, all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Conditions {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) server_names: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) alpn: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) sources: Vec<String>,
}

impl Conditions {
    /// A ClientHello is waited for.
    pub(crate) fn is_of_tls(&self) -> bool {
        !self.server_names.is_empty() || !self.alpn.is_empty()
    }
}

/// `[backends.NAME]`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Backend {
    pub(crate) profile: Option<&'static str>,
    pub(crate) balance: Option<&'static str>,
    pub(crate) proxy_protocol: Option<&'static str>,
    pub(crate) attempts: Option<u8>,
    pub(crate) slow_start: Option<String>,
    pub(crate) queue_timeout: Option<String>,
    pub(crate) servers: Named<Server>,
    pub(crate) observe: Option<Observe>,
    pub(crate) agent: Option<Agent>,
    #[serde(skip_serializing_if = "Check::is_default")]
    pub(crate) check: Check,
}

/// A server; only its address where nothing else was said.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum Server {
    Plain(String),
    Table(ServerTable),
}

/// `[backends.NAME.servers.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ServerTable {
    pub(crate) address: IpAddr,
    pub(crate) port: Option<u16>,
    pub(crate) weight: Option<u16>,
    pub(crate) max_connections: Option<u32>,
    pub(crate) backup: Option<bool>,
    pub(crate) check_address: Option<IpAddr>,
}

impl ServerTable {
    /// Without a table where an address says it all.
    pub(crate) fn shortest(self) -> Server {
        let (address, port) = (self.address, self.port);
        let plain = Self { address, port, weight: None, max_connections: None, backup: None, check_address: None };
        match (self == plain, port) {
            (true, None) => Server::Plain(address.to_string()),
            (true, Some(port)) => Server::Plain(SocketAddr::new(address, port).to_string()),
            (false, _) => Server::Table(self),
        }
    }
}

/// `[backends.NAME.observe]`.
#[derive(Debug, Serialize)]
pub(crate) struct Observe {
    pub(crate) failures: u32,
}

/// `[backends.NAME.agent]`.
#[derive(Debug, Serialize)]
pub(crate) struct Agent {
    pub(crate) port: u16,
    pub(crate) interval: Option<String>,
}

/// `[backends.NAME.check]`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) track: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<&'static str>,
    pub(crate) port: Option<u16>,
    pub(crate) path: Option<String>,
    pub(crate) expect: Option<String>,
    pub(crate) server_name: Option<String>,
    pub(crate) send_hex: Option<String>,
    pub(crate) reply_hex: Option<String>,
    pub(crate) send: Option<String>,
    pub(crate) reply: Option<String>,
    pub(crate) interval: Option<String>,
    pub(crate) fast_interval: Option<String>,
    pub(crate) timeout: Option<String>,
    pub(crate) rise: Option<u8>,
    pub(crate) fall: Option<u8>,
}

impl Check {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[limits]`.
#[derive(Debug, Serialize)]
pub(crate) struct Limits {
    pub(crate) max_connections: u32,
}

impl Draft {
    /// The text of the file.
    pub(crate) fn to_toml(&self) -> Result<String, toml::ser::Error> {
        Ok(format!(
            "# Imported; the report of `fmc-lbctl import` says what became of each line.\n\n{}",
            toml::to_string(self)?
        ))
    }
}
