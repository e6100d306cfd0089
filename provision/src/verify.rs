//! [core] What must be so of a lab as seen from one place: who may reach what and who must not, names, time, owners, routes, exports,
//! certificates. Where it is seen from and what was seen are arguments; [`expectations`] says what to look at, [`judge`] what it means.

mod flows;
mod judgement;
mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

use ipnet::Ipv4Net;

use crate::inventory::Role;
use crate::inventory::scalar::Name;
use crate::lab::{Lab, Machine};

pub use judgement::{Judgement, Lifetime, Port, Seen, Verdict, judge};

/// From where it is looked.
#[derive(Debug, Clone, Default)]
pub struct Vantage {
    /// The addresses of the machine that looks.
    pub own: BTreeSet<Ipv4Addr>,
    /// The address that it calls each destination from; none where it has no route.
    pub sources: BTreeMap<Ipv4Addr, Ipv4Addr>,
    /// The public address of the lab, where the Internet's part is to be judged.
    pub public: Option<Ipv4Addr>,
    /// Whether the CA of the cluster is at hand.
    pub has_ca: bool,
}

/// Something that must be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// What is looked at.
    pub what: What,
    /// Why it must be so.
    pub purpose: String,
    /// Where to look when it is not.
    pub look: String,
    /// Why it cannot be judged from here.
    pub unjudged: Option<String>,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Whether a connection from `from` to a TCP port is served.
    Port {
        /// The address that it is called from.
        from: Ipv4Addr,
        /// Where.
        to: SocketAddrV4,
        /// What must become of it.
        reach: Reach,
    },
    /// Which hardware addresses answer for a virtual address.
    Owner {
        /// Its name.
        vip: Name,
        /// The virtual address.
        address: Ipv4Addr,
        /// Who may hold it: the hardware address that each has there.
        balancers: Vec<(String, Name)>,
    },
    /// The address of a name.
    Name {
        /// Who is asked.
        server: Ipv4Addr,
        /// In full.
        name: String,
        /// Its address.
        address: Ipv4Addr,
    },
    /// The name of an address.
    Reverse {
        /// Who is asked.
        server: Ipv4Addr,
        /// The address.
        address: Ipv4Addr,
        /// In full.
        name: String,
    },
    /// How far this machine's clock is from that of a time server.
    Clock {
        /// The time server.
        server: Ipv4Addr,
    },
    /// The next hop of a route of this machine.
    Route {
        /// Where it leads.
        to: Ipv4Net,
        /// The next hop.
        via: Ipv4Addr,
    },
    /// Whether the API shows a certificate of the cluster's CA that is good for this address.
    Api {
        /// Where.
        at: SocketAddrV4,
    },
    /// How long a certificate is still good.
    Certificate {
        /// Who shows it.
        at: SocketAddrV4,
        /// The name that is asked for; without it the address.
        name: Option<String>,
    },
    /// Whether an exported directory is shown to this machine.
    Export {
        /// The NFS server.
        server: Ipv4Addr,
        /// The directory.
        path: String,
        /// Whether it must be.
        shown: bool,
    },
    /// Whether the database asks this machine for a password, or turns it away.
    Database {
        /// The database server.
        server: Ipv4Addr,
        /// The database and its owner.
        database: Name,
        /// Whether this machine is a client of it.
        let_in: bool,
    },
}

/// What must become of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// It is served.
    Open,
    /// Nothing comes back: a refusal would show that the way is open, whatever listens there today.
    Shut,
    /// It is not served, in whatever way.
    NotOffered,
}

impl Expectation {
    fn new(what: What, purpose: impl Into<String>, look: impl Into<String>) -> Self {
        Self { what, purpose: purpose.into(), look: look.into(), unjudged: None }
    }

    fn unless(self, unjudged: Option<String>) -> Self {
        Self { unjudged, ..self }
    }
}

/// Every address that a probe of this lab may call: what [`Vantage::sources`] is to be found for.
pub fn destinations(lab: &Lab, public: Option<Ipv4Addr>) -> BTreeSet<Ipv4Addr> {
    let machines = lab.machines.iter().map(Machine::address);
    let vips = lab.vips.iter().map(|vip| vip.address);
    machines.chain(vips).chain([lab.host_address]).chain(public).collect()
}

/// What must be so, in the order in which it is shown.
pub fn expectations(lab: &Lab, vantage: &Vantage) -> Vec<Expectation> {
    let seat = Seat { lab, vantage };
    let mut all = services::routes(&seat);
    all.extend(services::owners(&seat));
    all.extend(flows::expectations(&seat));
    all.extend(services::names(&seat));
    all.extend(services::clocks(&seat));
    all.extend(services::certificates(&seat));
    all.extend(services::exports(&seat));
    all.extend(services::databases(&seat));
    all
}

/// Who looks, in words.
pub fn seat(lab: &Lab, vantage: &Vantage) -> String {
    Seat { lab, vantage }.words()
}

/// A lab and the place from which it is seen.
struct Seat<'a> {
    lab: &'a Lab,
    vantage: &'a Vantage,
}

impl<'a> Seat<'a> {
    fn source(&self, to: Ipv4Addr) -> Option<Ipv4Addr> {
        self.vantage.sources.get(&to).copied()
    }

    fn machine(&self) -> Option<&'a Machine> {
        self.lab.machines.iter().find(|machine| self.vantage.own.contains(&machine.address()))
    }

    fn is_host(&self) -> bool {
        self.vantage.own.contains(&self.lab.host_address)
    }

    /// Whether an address is the lab's, or in its tunnel.
    fn is_inside(&self, address: Ipv4Addr) -> bool {
        let tunnel = self.lab.vpn.iter().any(|vpn| vpn.network.get().contains(&address));
        tunnel || self.lab.network_of(address).is_some()
    }

    /// Whether the hypervisor's packet filter stands between `from` and `to`: not among those of one network, and not before itself.
    fn is_filtered(&self, from: Ipv4Addr, to: Ipv4Addr) -> bool {
        let network = |address| self.lab.network_of(address).map(|network| &network.name);
        if self.is_host() || from == to {
            return false;
        }
        if to == self.lab.host_address {
            return true;
        }
        match (network(from), network(to)) {
            (Some(from), to) => Some(from) != to,
            // Out of the tunnel: its server may stand in the LAN beside what is called.
            (None, to) => to != self.lab.vpn_server_address().filter(|_| !self.tunnel_ends_at_host()).and_then(network),
        }
    }

    fn tunnel_ends_at_host(&self) -> bool {
        self.lab.vpn_server_address() == Some(self.lab.host_address)
    }

    fn words(&self) -> String {
        let device = || self.lab.devices.iter().find(|(_, address)| self.vantage.own.contains(address));
        if let Some(machine) = self.machine() {
            return machine.name.to_string();
        }
        if self.is_host() {
            return format!("the hypervisor {}", self.lab.host.name);
        }
        if let Some((name, _)) = device() {
            return format!("the device {name}");
        }
        let own = self.vantage.own.iter().find(|own| self.is_inside(**own));
        match own.map(|own| (own, self.lab.network_of(*own))) {
            Some((own, Some(network))) => format!("{own}, a guest of the network {}", network.name),
            Some((own, None)) => format!("{own}, in the tunnel"),
            None => "outside the lab".to_owned(),
        }
    }

    /// The name of whoever has an address.
    fn name_of(&self, address: Ipv4Addr) -> String {
        let machine = self.lab.machines.iter().find(|machine| machine.address() == address);
        let vip = || self.lab.vips.iter().find(|vip| vip.address == address).map(|vip| format!("the VIP {}", vip.name));
        let host = || (address == self.lab.host_address).then(|| self.lab.host.name.to_string());
        machine.map(|it| it.name.to_string()).or_else(vip).or_else(host).unwrap_or_else(|| address.to_string())
    }

    fn balancers(&self) -> String {
        let names: Vec<_> = self.lab.balancers().iter().map(|machine| machine.name.to_string()).collect();
        names.join(" or ")
    }

    fn with_role(&self, role: Role) -> impl Iterator<Item = &'a Machine> + use<'a> {
        self.lab.with_role(role)
    }
}
