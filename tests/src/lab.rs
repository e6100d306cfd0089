//! The lab: every machine a namespace, the hypervisor's bridges between them, the real addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Instant;

use crate::directory::Directory;
use crate::link::{Port, ip_batch};
use crate::namespace::Namespace;
use crate::plan::{Bridge, FLATCAR_MICRO_CLOUD, Machine, Plan};
use crate::privilege;
use crate::process::{Process, Spawn};

/// Frames kept for a failure's dump, first: the election and address resolution.
const ELECTION: &str = "ip proto 112 or arp or ip6 proto 112 or icmp6 or udp port 1112";
/// Second: how connections begin and end.
const CONNECTIONS: &str = "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0";
/// The capture is a ring of two files of this many million bytes; older frames are overwritten.
const CAPTURE_MEGABYTES: &str = "4";
/// Newest frames of each kind shown when a test fails.
const CAPTURE_SHOWN: usize = 40;

/// The machines of a plan, up and routed. Dropping it removes them all; in a panic it first prints what it saw.
#[derive(Debug)]
pub struct Lab {
    plan: &'static Plan,
    capture: Process,
    machines: BTreeMap<&'static str, Namespace>,
    hypervisor: Namespace,
    directory: Directory,
}

impl Lab {
    /// The lab as it stands, see [`FLATCAR_MICRO_CLOUD`].
    pub fn flatcar_micro_cloud() -> Self {
        Self::build(&FLATCAR_MICRO_CLOUD)
    }

    /// Builds `plan`.
    ///
    /// # Panics
    /// Without root, and with what `ip` said when the kernel refuses.
    pub fn build(plan: &'static Plan) -> Self {
        privilege::require();
        let directory = Directory::create();
        let adopt = |name: &str| Namespace::adopt(directory.namespace(name));
        let hypervisor = adopt("hypervisor");
        let machines: BTreeMap<_, _> = plan.machines().map(|machine| (machine.name, adopt(machine.name))).collect();
        ip_batch(None, &namespaces(&hypervisor, machines.values()));
        quiet(&hypervisor);
        machines.values().for_each(quiet);
        ip_batch(Some(&hypervisor), &bridges(plan));
        ip_batch(None, &cables(plan, &hypervisor, &machines));
        ip_batch(Some(&hypervisor), &ports(plan));
        plan.machines().for_each(|machine| ip_batch(Some(&machines[machine.name]), &addresses(machine)));
        hypervisor.sysctl("net/ipv4/ip_forward", "1");
        let capture = start_capture(&hypervisor, plan.bridges[0].name, &directory);
        Self { plan, capture, machines, hypervisor, directory }
    }

    /// The same lab with a second family: 192.168.0.x is fd00::x too, and 10.17.4.x is fd00:4::x, routed by the hypervisor. Addresses are good
    /// at once: nobody else has them.
    pub fn speak_ipv6(&self) {
        let hosts =
            self.plan.machines().map(|machine| (&self.machines[machine.name], machine.interfaces[0].address, "eth0"));
        let bridges = self.plan.bridges.iter().map(|bridge| (&self.hypervisor, bridge.address, bridge.name));
        for (namespace, address, interface) in hosts.chain(bridges) {
            namespace.sysctl(&format!("net/ipv6/conf/{interface}/accept_dad"), "0");
            namespace.sysctl(&format!("net/ipv6/conf/{interface}/disable_ipv6"), "0");
            namespace.sysctl("net/ipv6/conf/lo/disable_ipv6", "0");
            ip_batch(Some(namespace), &[format!("address add {} dev {interface} nodad", second_family(address))]);
        }
        self.hypervisor.sysctl("net/ipv6/conf/all/forwarding", "1");
        for machine in self.plan.machines() {
            let gateway = second_family(machine.gateway);
            ip_batch(Some(&self.machines[machine.name]), &[format!("route add default via {}", bare(&gateway))]);
        }
    }

    /// The address of IPv6 of a machine's first interface, once [`Lab::speak_ipv6`] was called.
    pub fn address_6(&self, name: &str) -> IpAddr {
        let address = second_family(self.description(name).interfaces[0].address);
        bare(&address).parse().unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    /// Removes every lab of this process, for the end by a signal, where nothing is dropped.
    pub fn remove_all() {
        crate::directory::remove_ours();
    }

    /// The machine that routes and holds the bridges.
    pub fn hypervisor(&self) -> &Namespace {
        &self.hypervisor
    }

    /// The machine clients are on.
    pub fn client(&self) -> &Namespace {
        self.machine("client")
    }

    /// A machine by its host name.
    ///
    /// # Panics
    /// When the plan has none of that name.
    pub fn machine(&self, name: &str) -> &Namespace {
        self.machines.get(name).unwrap_or_else(|| panic!("the plan has no machine {name}"))
    }

    /// The address of a machine's first interface.
    pub fn address(&self, name: &str) -> IpAddr {
        let prefix = self.description(name).interfaces[0].address;
        let address = prefix.split('/').next().unwrap_or_default();
        address.parse().unwrap_or_else(|error| panic!("{prefix}: {error}"))
    }

    /// Sets a machine's first interface down, as when its cable is pulled: the machine knows. Returns the moment from which it is.
    pub fn link_down(&self, name: &str) -> Instant {
        self.machine(name).expect("ip", &["link", "set", "eth0", "down"]);
        Instant::now()
    }

    /// Ends [`Lab::link_down`], with the route that the kernel dropped; nothing happens to an interface that is up.
    pub fn link_up(&self, name: &str) {
        let gateway = self.description(name).gateway;
        let lines = ["link set eth0 up".to_owned(), format!("route replace default via {gateway}")];
        ip_batch(Some(self.machine(name)), &lines);
    }

    /// Takes every cable of a machine out of its bridge, and returns the moment from which no frame passes.
    pub fn unplug(&self, name: &str) -> Instant {
        self.with_ports(name, |port| port.unplug());
        Instant::now()
    }

    /// Puts them back, and returns the moment from which every frame passes.
    pub fn plug(&self, name: &str) -> Instant {
        self.with_ports(name, |port| port.plug());
        Instant::now()
    }

    /// Takes a machine's cable out of one bridge alone, and returns the moment from which no frame passes there.
    pub fn unplug_from(&self, bridge: &str, name: &str) -> Instant {
        self.with_ports(name, |port| {
            if port.bridge == bridge {
                port.unplug();
            }
        });
        Instant::now()
    }

    /// A path in the lab's directory, which the service's users can read.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a file there.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        self.directory.write(name, text)
    }

    fn description(&self, name: &str) -> &'static Machine {
        let machine = self.plan.machines().find(|machine| machine.name == name);
        machine.unwrap_or_else(|| panic!("the plan has no machine {name}"))
    }

    fn with_ports(&self, name: &str, act: impl Fn(&Port<'_>)) {
        let machine = self.description(name);
        for (index, interface) in machine.interfaces.iter().enumerate() {
            act(&Port { host: &self.hypervisor, bridge: interface.bridge, name: &machine.port(index) });
        }
    }

    fn dump(&self) {
        let forwarding = self.hypervisor.output("ip", &["-br", "link"]);
        eprintln!("--- hypervisor: links\n{}", String::from_utf8_lossy(&forwarding.stdout));
        for filter in [ELECTION, CONNECTIONS] {
            let shown = self.hypervisor.output("sh", &["-c", &self.newest_frames(filter)]);
            eprintln!("--- newest frames, {filter}\n{}", String::from_utf8_lossy(&shown.stdout));
        }
    }

    fn newest_frames(&self, filter: &str) -> String {
        let ring = self.directory.join("capture.pcap");
        let show = format!("tcpdump -n -e -tttt -r \"$file\" '{filter}'");
        format!("for file in $(ls -tr {}*); do {show}; done 2>/dev/null | tail -n {CAPTURE_SHOWN}", ring.display())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.capture.kill();
        if std::thread::panicking() {
            self.dump();
        }
    }
}

fn namespaces<'a>(hypervisor: &'a Namespace, machines: impl Iterator<Item = &'a Namespace>) -> Vec<String> {
    let all = std::iter::once(hypervisor).chain(machines);
    all.map(|namespace| format!("netns add {}", namespace.name())).collect()
}

/// `192.168.0.30/24` becomes `fd00::30/64`, `10.17.4.21/24` becomes `fd00:4::21/64`.
fn second_family(address: &str) -> String {
    let octets: Vec<&str> = bare(address).split('.').collect();
    match octets[..] {
        ["192", "168", "0", host] => format!("fd00::{host}/64"),
        ["10", "17", network, host] => format!("fd00:{network}::{host}/64"),
        _ => panic!("{address} is of no network of the lab"),
    }
}

fn bare(address: &str) -> &str {
    address.split('/').next().unwrap_or(address)
}

/// IPv6 would only add its own chatter (router solicitations, duplicate address detection) to captures, where it is not what is tried:
/// see [`Lab::speak_ipv6`].
fn quiet(namespace: &Namespace) {
    namespace.sysctl("net/ipv6/conf/all/disable_ipv6", "1");
    namespace.sysctl("net/ipv6/conf/default/disable_ipv6", "1");
    ip_batch(Some(namespace), &["link set lo up".to_owned()]);
}

/// A bridge has a MAC address of its own: one taken from a port changes when that port is unplugged, and every neighbour
/// would lose its gateway.
fn bridges(plan: &Plan) -> Vec<String> {
    let bridge = |(index, bridge): (usize, &Bridge)| {
        let name = bridge.name;
        let options = "forward_delay 0 stp_state 0 mcast_snooping 0 nf_call_iptables 0";
        [
            format!("link add {name} address 02:fc:00:00:00:{index:02x} type bridge {options}"),
            format!("address add {} dev {name}", bridge.address),
            format!("link set {name} up"),
        ]
    };
    plan.bridges.iter().enumerate().flat_map(bridge).collect()
}

fn cables(plan: &Plan, hypervisor: &Namespace, machines: &BTreeMap<&str, Namespace>) -> Vec<String> {
    let cables = |machine: &Machine| {
        let inside = machines[machine.name].name().to_owned();
        let cable = |index| {
            let port = machine.port(index);
            format!("link add {port} netns {} type veth peer name eth{index} netns {inside}", hypervisor.name())
        };
        (0..machine.interfaces.len()).map(cable).collect::<Vec<_>>()
    };
    plan.machines().flat_map(cables).collect()
}

fn ports(plan: &Plan) -> Vec<String> {
    let ports = |machine: &'static Machine| {
        let interfaces = machine.interfaces.iter().enumerate();
        interfaces.map(|(index, interface)| format!("link set {} master {} up", machine.port(index), interface.bridge))
    };
    plan.machines().flat_map(ports).collect()
}

fn addresses(machine: &Machine) -> Vec<String> {
    let interfaces = machine.interfaces.iter().enumerate();
    let lines = interfaces.flat_map(|(index, interface)| {
        [format!("address add {} dev eth{index}", interface.address), format!("link set eth{index} up")]
    });
    lines.chain([format!("route add default via {}", machine.gateway)]).collect()
}

fn start_capture(hypervisor: &Namespace, bridge: &str, directory: &Directory) -> Process {
    let ring = directory.join("capture.pcap");
    let spawn = Spawn::new("tcpdump", directory.join("tcpdump.log"));
    let (ring, filter) = (ring.to_string_lossy(), format!("{ELECTION} or {CONNECTIONS}"));
    // -Z root: Debian's tcpdump would otherwise become a user that cannot write to the lab's directory.
    hypervisor.spawn(spawn.args([
        "-i",
        bridge,
        "-n",
        "-U",
        "-Z",
        "root",
        "-C",
        CAPTURE_MEGABYTES,
        "-W",
        "2",
        "-w",
        &ring,
        &filter,
    ]))
}
