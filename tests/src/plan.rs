//! Address plans of the lab: which machines there are, on which bridge, with which addresses.

/// A lab to build.
#[derive(Debug)]
pub struct Plan {
    /// Bridges of the hypervisor, each with the address it has there.
    pub bridges: &'static [Bridge],
    /// The client and the balancers; every plan has the same three masters and three workers beside them.
    pub machines: &'static [Machine],
}

impl Plan {
    /// Every machine but the hypervisor.
    pub fn machines(&self) -> impl Iterator<Item = &'static Machine> {
        self.machines.iter().chain(SERVERS)
    }
}

/// A bridge of the hypervisor, which routes between them.
#[derive(Debug)]
pub struct Bridge {
    /// As on the real host.
    pub name: &'static str,
    /// The hypervisor's own address on it, with the prefix length of the network.
    pub address: &'static str,
}

/// A machine of the lab.
#[derive(Debug)]
pub struct Machine {
    /// Its host name.
    pub name: &'static str,
    /// `eth0`, `eth1`, ... in this order.
    pub interfaces: &'static [Interface],
    /// Default gateway.
    pub gateway: &'static str,
}

/// An interface of a machine.
#[derive(Debug)]
pub struct Interface {
    /// The bridge it is plugged into.
    pub bridge: &'static str,
    /// With prefix length.
    pub address: &'static str,
}

const fn machine(name: &'static str, interfaces: &'static [Interface], gateway: &'static str) -> Machine {
    Machine { name, interfaces, gateway }
}

const fn on(bridge: &'static str, address: &'static str) -> Interface {
    Interface { bridge, address }
}

/// Masters and workers, on a bridge of their own.
const SERVERS: &[Machine] = &[
    machine("master1", &[on("virbr_kube03", "10.17.4.21/24")], "10.17.4.1"),
    machine("master2", &[on("virbr_kube03", "10.17.4.22/24")], "10.17.4.1"),
    machine("master3", &[on("virbr_kube03", "10.17.4.23/24")], "10.17.4.1"),
    machine("worker1", &[on("virbr_kube03", "10.17.4.24/24")], "10.17.4.1"),
    machine("worker2", &[on("virbr_kube03", "10.17.4.25/24")], "10.17.4.1"),
    machine("worker3", &[on("virbr_kube03", "10.17.4.26/24")], "10.17.4.1"),
];

/// The lab as it stands: both balancers on the LAN, VIPs 192.168.0.32 and .33, the hypervisor 192.168.0.40 routes.
pub const FLATCAR_MICRO_CLOUD: Plan = Plan {
    bridges: &[
        Bridge { name: "br0", address: "192.168.0.40/24" },
        Bridge { name: "virbr_kube02", address: "10.17.3.1/24" },
        Bridge { name: "virbr_kube03", address: "10.17.4.1/24" },
    ],
    machines: &[
        machine("client", &[on("br0", "192.168.0.50/24")], "192.168.0.40"),
        machine("loadbalancer1", &[on("br0", "192.168.0.30/24")], "192.168.0.40"),
        machine("loadbalancer2", &[on("br0", "192.168.0.31/24")], "192.168.0.40"),
    ],
};

/// An older plan: VIPs 10.17.5.10 and .30 on a bridge of their own, which two balancers reach by a second interface and
/// a third one by its only one.
pub const THREE_BALANCERS: Plan = Plan {
    bridges: &[
        Bridge { name: "br-vip", address: "10.17.5.1/24" },
        Bridge { name: "virbr_kube02", address: "10.17.3.1/24" },
        Bridge { name: "virbr_kube03", address: "10.17.4.1/24" },
    ],
    machines: &[
        machine("client", &[on("br-vip", "10.17.5.50/24")], "10.17.5.1"),
        machine("loadbalancer1", &[on("virbr_kube02", "10.17.3.12/24"), on("br-vip", "10.17.5.12/24")], "10.17.3.1"),
        machine("loadbalancer2", &[on("virbr_kube02", "10.17.3.13/24"), on("br-vip", "10.17.5.13/24")], "10.17.3.1"),
        machine("k8s-api-lb", &[on("br-vip", "10.17.5.20/24")], "10.17.5.1"),
    ],
};

/// The same with every balancer on both bridges, for one address on each: 10.17.3.10 and 10.17.5.30.
pub const ONE_ADDRESS_A_BRIDGE: Plan = Plan {
    bridges: THREE_BALANCERS.bridges,
    machines: &[
        machine("client", &[on("br-vip", "10.17.5.50/24")], "10.17.5.1"),
        machine("loadbalancer1", &[on("virbr_kube02", "10.17.3.12/24"), on("br-vip", "10.17.5.12/24")], "10.17.5.1"),
        machine("loadbalancer2", &[on("virbr_kube02", "10.17.3.13/24"), on("br-vip", "10.17.5.13/24")], "10.17.5.1"),
        machine("k8s-api-lb", &[on("virbr_kube02", "10.17.3.14/24"), on("br-vip", "10.17.5.20/24")], "10.17.5.1"),
    ],
};

impl Machine {
    /// The hypervisor's end of the cable of the interface number `index`: at most 15 bytes (IFNAMSIZ).
    pub(crate) fn port(&self, index: usize) -> String {
        if index == 0 { self.name.to_owned() } else { format!("{}.{index}", self.name) }
    }
}
