//! The stable names of the inventory's own rules.

use fmc_config::diagnostic::Rule;
use fmc_config::diagnostic::Severity::{self, Error, Warning};

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $variant:ident $severity:ident $text:literal,)+) => {
        /// A rule of the inventory. Rules of any TOML file (`unknown-key`, `missing-key`, ...) are those of the balancer's
        /// configuration.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Broken {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Broken {
            /// Every rule there is.
            pub const ALL: &'static [Broken] = &[$(Broken::$variant,)+];

            /// The name as shown.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Broken::$variant => $text,)+
                }
            }

            const fn severity(self) -> Severity {
                match self {
                    $(Broken::$variant => $severity,)+
                }
            }
        }
    };
}

impl From<Broken> for Rule {
    fn from(broken: Broken) -> Self {
        Self { name: broken.as_str(), severity: broken.severity() }
    }
}

rules! {
    /// Not the IPv4 address of a machine.
    BadAddress Error "bad-address",
    /// Not an IPv4 network.
    BadPrefix Error "bad-prefix",
    /// Not a range of addresses.
    BadRange Error "bad-range",
    /// Not a size.
    BadSize Error "bad-size",
    /// Not a host name.
    BadHostName Error "bad-host-name",
    /// Not a domain name.
    BadDomain Error "bad-domain",
    /// Not the hardware address of a NIC.
    BadMac Error "bad-mac",
    /// Not a SHA-256.
    BadChecksum Error "bad-checksum",
    /// Not the name of an interface.
    BadInterface Error "bad-interface",
    /// Not a span of time.
    BadSpan Error "bad-span",
    /// Not a public key of WireGuard.
    BadPublicKey Error "bad-public-key",
    /// Not a port, as the key of a table.
    BadPortKey Error "bad-port-key",
    /// Not a path from the root.
    BadFilePath Error "bad-file-path",
    /// A secret in the file instead of its name.
    SecretInline Error "secret-inline",

    /// No address plan has that name.
    UnknownPlan Error "unknown-plan",
    /// No way in from the Internet has that name.
    UnknownWay Error "unknown-way",
    /// No network has that name under this plan.
    UnknownNetwork Error "unknown-network",
    /// No image has that name.
    UnknownImage Error "unknown-image",
    /// No machine has that name, or no role.
    UnknownMachine Error "unknown-machine",
    /// No virtual address has that name.
    UnknownVip Error "unknown-vip",
    /// No peer of the VPN has that name.
    UnknownPeer Error "unknown-peer",
    /// A thing exists under a plan, and a value of it does not.
    MissingInPlan Error "missing-in-plan",

    /// Two things with one address.
    AddressTaken Error "address-taken",
    /// Two NICs with one hardware address.
    MacTaken Error "mac-taken",
    /// Two virtual routers with one identifier on one network.
    VirtualRouterIdTaken Error "virtual-router-id-taken",
    /// An address that is not in its network, or is that of the network itself.
    AddressOutsideNetwork Error "address-outside-network",
    /// A static address that a DHCP server may hand out.
    AddressInDhcpPool Error "address-in-dhcp-pool",
    /// A pool of addresses that are not in its network.
    DhcpPoolOutsideNetwork Error "dhcp-pool-outside-network",
    /// Two networks with common addresses.
    NetworksOverlap Error "networks-overlap",
    /// A router that is not in its network.
    GatewayOutsideNetwork Error "gateway-outside-network",

    /// A virtual address in a network that a balancer has no NIC in.
    VipOffBalancers Error "vip-off-balancers",
    /// Nobody to own the virtual addresses.
    NoBalancer Error "no-balancer",
    /// A balancer that does not say how much it is preferred.
    PriorityMissing Error "priority-missing",
    /// Two balancers equally preferred.
    PriorityTaken Error "priority-taken",
    /// A service for a role that no machine has.
    ServiceWithoutServers Error "service-without-servers",
    /// The balancers cannot reach the servers.
    BackendUnreachable Error "backend-unreachable",
    /// Not who may connect.
    UnknownClient Error "unknown-client",
    /// The API of the cluster on the Internet.
    ApiOnInternet Error "api-on-internet",
    /// Open to the Internet, and nothing leads there.
    ExposedWithoutForward Error "exposed-without-forward",
    /// Forwarded, and not open to the Internet.
    ForwardNotExposed Error "forward-not-exposed",
    /// A forward to a port that nothing serves.
    ForwardToNothing Error "forward-to-nothing",
    /// One public port forwarded twice.
    ForwardTwice Error "forward-twice",
    /// A port of K3s nodes outside the range of node ports.
    NodePortOutOfRange Error "node-port-out-of-range",
    /// One node port for two services.
    NodePortTaken Error "node-port-taken",

    /// A number of servers that cannot be split into a majority and the rest.
    EvenServers Error "even-servers",
    /// The server that begins the cluster is none.
    BootstrapNotServer Error "bootstrap-not-server",
    /// Servers that join through an address that nobody holds yet.
    JoinThroughVip Error "join-through-vip",
    /// Machines that wait for one another.
    StartCycle Error "start-cycle",

    /// Two disks with one serial number, or one that is too long.
    SerialTaken Error "serial-taken",
    /// Volumes larger than their disk.
    VolumesOverDisk Error "volumes-over-disk",
    /// A directory to export that is no volume.
    ExportOffVolume Error "export-off-volume",

    /// The balancer would refuse its configuration.
    BalancerRefuses Error "balancer-refuses",
    /// A visitor of a proxied name arrives in plain HTTP at a TLS port.
    ProxiedPort Error "proxied-port",
    /// A certificate by HTTP-01, and no port 80.
    ChallengeWithoutPort Warning "challenge-without-port",
    /// The machines have more memory than the hypervisor.
    MemoryOvercommitted Warning "memory-overcommitted",
    /// The machines have more CPUs than twice those of the hypervisor.
    CpusOvercommitted Warning "cpus-overcommitted",
    /// The disks may grow beyond the hypervisor's.
    DiskOvercommitted Warning "disk-overcommitted",
    /// The files of a database on NFS.
    DatabaseOnNfs Warning "database-on-nfs",
}
