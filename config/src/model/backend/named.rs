//! Servers whose addresses the DNS tells: what becomes of a name once its addresses are known.

use std::net::IpAddr;
use std::num::{NonZeroU8, NonZeroU16, NonZeroU32};

use super::{Backend, Server, Weight};
use crate::model::Config;
use crate::model::name::{HostName, ServerName};

/// `web = "web.lab.internal:8080"`, or a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedServer {
    /// Unique in its backend.
    pub name: ServerName,
    /// What is asked.
    pub host: HostName,
    /// Which of its addresses are servers.
    pub records: Records,
    /// So many servers that were typed with an address stand before it.
    pub after: usize,
    /// As of [`Server`], and so below.
    pub port: Option<NonZeroU16>,
    /// Of each.
    pub weight: Weight,
    /// Of each.
    pub max_connections: Option<NonZeroU32>,
    /// Each of them.
    pub backup: bool,
    /// Of each.
    pub check_address: Option<IpAddr>,
    /// Of each.
    pub serving_ports: Vec<NonZeroU16>,
}

/// Which addresses of a name are servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Records {
    /// One, under the name that was typed.
    First,
    /// Each, up to so many, under names made of theirs: `web-10.17.4.24`.
    Each(NonZeroU8),
}

impl Records {
    /// Servers that it may be at most.
    pub fn most(self) -> usize {
        match self {
            Self::First => 1,
            Self::Each(most) => most.get().into(),
        }
    }
}

impl NamedServer {
    /// The longest name that leaves room for an address of IPv6 behind it.
    pub const LONGEST_NAME: usize = 20;

    /// Whether a server of that name may be one of its.
    pub fn may_be(&self, server: &ServerName) -> bool {
        match self.records {
            Records::First => *server == self.name,
            Records::Each(_) => {
                let address = server.as_str().strip_prefix(self.name.as_str()).and_then(|rest| rest.strip_prefix('-'));
                address.is_some_and(|address| address.replace('-', ":").parse::<IpAddr>().is_ok())
            }
        }
    }

    fn at(&self, address: IpAddr) -> Option<Server> {
        let Self { name, host, records, after: _, port, weight, max_connections, backup, check_address, serving_ports } =
            self;
        Some(Server {
            name: match records {
                Records::First => name.clone(),
                // The same on every node, whatever the order of the answer: what an operator asks of it holds on all of them.
                Records::Each(_) => format!("{name}-{address}").replace(':', "-").parse().ok()?,
            },
            address,
            port: *port,
            weight: *weight,
            max_connections: *max_connections,
            backup: *backup,
            check_address: *check_address,
            found_by: Some(host.clone()),
            serving_ports: serving_ports.clone(),
        })
    }
}

impl Config {
    /// The same with the servers that `addresses` tells of, and no others that a name told. What it tells first is taken first.
    pub fn with_addresses(&self, addresses: impl Fn(&NamedServer) -> Vec<IpAddr>) -> Self {
        let backends = self.backends.iter().map(|backend| backend.with_addresses(&addresses));
        Self { backends: backends.collect(), ..self.clone() }
    }

    /// Every name that has to be asked.
    pub fn host_names(&self) -> Vec<HostName> {
        let named = self.backends.iter().flat_map(|backend| &backend.named);
        let mut names: Vec<HostName> = named.map(|named| named.host.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Backend {
    fn with_addresses(&self, addresses: impl Fn(&NamedServer) -> Vec<IpAddr>) -> Self {
        let typed: Vec<&Server> = self.servers.iter().filter(|server| server.found_by.is_none()).collect();
        let mut servers: Vec<Server> = Vec::with_capacity(typed.len() + self.named.len());
        for place in 0..=typed.len() {
            for named in self.named.iter().filter(|named| named.after == place) {
                let found = addresses(named).into_iter().take(named.records.most()).filter_map(|at| named.at(at));
                servers.extend(found);
            }
            servers.extend(typed.get(place).map(|server| (*server).clone()));
        }
        let mut seen = std::collections::BTreeSet::new();
        servers.retain(|server| seen.insert(server.name.clone()));
        Self { servers, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flatcar-micro-cloud.toml");
        let text = std::fs::read_to_string(example)
            .unwrap()
            .replace("worker2 = \"10.17.4.25\"", "worker2 = \"w2.lab\", more = { address = \"w.lab\", records = 2 }");
        Config::parse(&text, "fmc-lb.toml").unwrap_or_else(|errors| panic!("{}", errors.lines()))
    }

    fn names(config: &Config) -> Vec<String> {
        let workers = config.backends.iter().find(|backend| backend.name.as_str() == "workers").unwrap();
        workers.servers.iter().map(|server| format!("{} {}", server.name, server.address)).collect()
    }

    #[test]
    fn a_name_that_is_not_known_is_no_server_and_a_known_one_stands_where_it_was_typed() {
        let config = config();
        assert_eq!(names(&config), ["worker1 10.17.4.24", "worker3 10.17.4.26"]);
        let found = ["10.0.0.3", "10.0.0.1", "fd00::1"].map(|address| address.parse().unwrap());
        let known = config.with_addresses(|_| found.to_vec());
        let wanted = [
            "worker1 10.17.4.24",
            "worker2 10.0.0.3",
            "more-10.0.0.3 10.0.0.3",
            "more-10.0.0.1 10.0.0.1",
            "worker3 10.17.4.26",
        ];
        assert_eq!(names(&known), wanted);
        assert_eq!(known.with_addresses(|_| Vec::new()), config, "what was found is forgotten again");
        assert_eq!(known.effective(), config.effective(), "what was found is no part of what was meant");
    }

    #[test]
    fn the_names_of_what_may_be_found_are_known_before() {
        let config = config();
        let workers = config.backends.iter().find(|backend| backend.name.as_str() == "workers").unwrap();
        let may = |name: &str| workers.named.iter().any(|named| named.may_be(&name.parse().unwrap()));
        assert!(may("worker2") && may("more-10.0.0.1") && may("more-fd00--1"));
        assert!(!may("more") && !may("more-10.0.0") && !may("worker2-10.0.0.1"));
    }
}
