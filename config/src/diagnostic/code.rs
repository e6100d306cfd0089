//! The stable names of all rules.

use super::Severity::{self, Error, Warning};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident $severity:ident $text:literal,)+) => {
        /// The rule that was broken: a stable short name, shown in brackets, that scripts and documentation may refer to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every rule there is.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The name as shown.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Code::$variant => $text,)+
                }
            }

            /// Whether a file that breaks it is refused.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Code::$variant => $severity,)+
                }
            }
        }
    };
}

/// The rule of some file's language that was broken: its stable name, and whether a file that breaks it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Shown in brackets; scripts and documentation may refer to it.
    pub name: &'static str,
    /// Whether a file that breaks it is refused.
    pub severity: Severity,
}

impl Rule {
    /// The name as shown.
    pub const fn as_str(self) -> &'static str {
        self.name
    }
}

impl From<Code> for Rule {
    fn from(code: Code) -> Self {
        Self { name: code.as_str(), severity: code.severity() }
    }
}

impl PartialEq<Code> for Rule {
    fn eq(&self, code: &Code) -> bool {
        *self == Self::from(*code)
    }
}

codes! {
    /// The file is not TOML.
    TomlSyntax Error "toml-syntax",
    /// A key or table stands twice in the same place.
    DuplicateKey Error "duplicate-key",
    /// No key of this table has that name.
    UnknownKey Error "unknown-key",
    /// A key without which the table says nothing.
    MissingKey Error "missing-key",
    /// A value of another TOML type.
    WrongType Error "wrong-type",
    /// A word that is none of the allowed ones.
    UnknownWord Error "unknown-word",
    /// Two keys that say the same thing in different ways.
    EitherOr Error "either-or",

    /// Characters or length that no name may have.
    BadName Error "bad-name",
    /// `records` of a server that has an address.
    RecordsUnused Error "records-unused",
    /// Not an address.
    BadAddress Error "bad-address",
    /// An address of IPv4 spelled as one of IPv6.
    Ipv4Mapped Error "ipv4-mapped",
    /// A link-local address where no interface goes with it.
    LinkLocalAddress Error "link-local-address",
    /// An address nothing can own: unspecified, loopback, multicast, broadcast.
    AddressNotUnicast Error "address-not-unicast",
    /// Not an address prefix.
    BadPrefix Error "bad-prefix",
    /// A prefix with bits beyond its length.
    PrefixHostBits Error "prefix-host-bits",
    /// Not a listening address.
    BadListenAddress Error "bad-listen-address",
    /// Not a TCP or UDP port.
    BadPort Error "bad-port",
    /// Not the name of a network interface.
    BadInterface Error "bad-interface",
    /// VRRP cannot run on loopback.
    InterfaceLoopback Error "interface-loopback",
    /// A file name that depends on the working directory.
    PathNotAbsolute Error "path-not-absolute",
    /// Not a span of time.
    BadDuration Error "bad-duration",
    /// A span of time outside its range.
    DurationOutOfRange Error "duration-out-of-range",
    /// A span of time finer than what carries it.
    DurationTooFine Error "duration-too-fine",
    /// Not a number of bytes in a second, or out of its range.
    BadBandwidth Error "bad-bandwidth",
    /// A number outside its range.
    NumberOutOfRange Error "number-out-of-range",
    /// A list that must say something says nothing.
    EmptyList Error "empty-list",

    /// Nobody to own a VIP.
    NoNode Error "no-node",
    /// More nodes than the election is built for.
    TooManyNodes Error "too-many-nodes",
    /// Two nodes at one address.
    NodeAddressTaken Error "node-address-taken",
    /// No room for the tiers below it, or kept for others.
    PriorityOutOfRange Error "priority-out-of-range",
    /// Not what eight octets of an advertisement can carry.
    BadPassword Error "bad-password",
    /// A key that the spoken version of VRRP does not have.
    OtherVersionKey Error "other-version-key",

    /// Nothing to own.
    NoVip Error "no-vip",
    /// Two VIPs with one address.
    VipAddressTaken Error "vip-address-taken",
    /// A VIP that is a node's own address.
    VipIsNode Error "vip-is-node",
    /// A VIP that is a server's address.
    VipIsServer Error "vip-is-server",
    /// The last octet cannot serve as a virtual router identifier.
    VirtualRouterIdNeeded Error "virtual-router-id-needed",
    /// Two virtual routers with one identifier on one network.
    VirtualRouterIdTaken Error "virtual-router-id-taken",
    /// A link-local VIP that may be on any interface.
    LinkLocalWithoutInterface Error "link-local-without-interface",
    /// A virtual router of IPv6 in a version of VRRP that has none.
    Ipv6NeedsVersion3 Error "ipv6-needs-version-3",
    /// Advertisements to each node, and a node without an address that they could go to.
    UnicastWithoutAddress Error "unicast-without-address",
    /// A virtual MAC address, and advertisements to each node alone.
    VirtualMacUnicast Error "virtual-mac-unicast",
    /// A VIP that follows one which follows another.
    FollowChain Error "follow-chain",
    /// No node has that name.
    UnknownNode Error "unknown-node",

    /// No VIP has that name.
    UnknownVip Error "unknown-vip",
    /// No backend has that name.
    UnknownBackend Error "unknown-backend",
    /// Two frontends listen on one address and port.
    ListenAddressTaken Error "listen-address-taken",
    /// A key of TCP in a frontend of UDP, or the other way round.
    OtherProtocolKey Error "other-protocol-key",
    /// A frontend may hold more connections than the process.
    FrontendOverLimit Error "frontend-over-limit",
    /// One connection may move as much as all together, or more.
    BandwidthOverAll Warning "bandwidth-over-all",
    /// A check would start a program, and nobody has allowed that.
    CommandNotAllowed Error "command-not-allowed",
    /// The Web is bounded by source address, and no address is exempt.
    PerSourceWithoutExempt Warning "per-source-without-exempt",
    /// An allow list that nobody can be on.
    AllowOtherFamily Warning "allow-other-family",
    /// Anybody may say who he is.
    ProxyFromAnyone Warning "proxy-from-anyone",
    /// A route that every connection would take.
    RouteWithoutCondition Error "route-without-condition",
    /// A name that an earlier route takes already.
    RouteNeverTaken Warning "route-never-taken",
    /// Not the name of a protocol.
    BadAlpn Error "bad-alpn",
    /// A time for what nobody waits for.
    PrefaceUnused Warning "preface-unused",
    /// Two services end at one server port.
    PortsShareServerPort Error "ports-share-server-port",
    /// A frontend's port map and a server's own port disagree.
    PortMapUnused Error "port-map-unused",

    /// A backend with nobody in it.
    BackendWithoutServers Error "backend-without-servers",
    /// The same address and port twice in one backend.
    ServerTwice Error "server-twice",
    /// Nobody would ever get a connection.
    WeightsAllZero Error "weights-all-zero",
    /// Stand-ins for nobody.
    BackupsOnly Error "backups-only",
    /// A server is filled up before the next, and nothing says when it is full.
    FirstWithoutLimit Error "first-without-limit",
    /// Frontends of different profiles, and the backend does not say whose defaults it takes.
    ProfilesDisagree Error "profiles-disagree",

    /// An option that this kind of check has no use for.
    CheckOptionUnused Error "check-option-unused",
    /// Servers of UDP would be asked by TCP, and nobody has said that they answer.
    UdpCheckUnsaid Error "udp-check-unsaid",
    /// A doubtful server is asked more rarely than a settled one.
    FastIntervalOverInterval Error "fast-interval-over-interval",
    /// A request target that does not start at the root.
    BadPath Error "bad-path",
    /// Not a range of HTTP statuses.
    BadStatusRange Error "bad-status-range",
    /// A name that no certificate can carry.
    BadServerName Error "bad-server-name",
    /// A bearer token for whoever answers.
    TokenWithoutCa Error "token-without-ca",
    /// Verdicts that would come from themselves.
    TrackCycle Error "track-cycle",
    /// A server whose namesake in the tracked backend does not exist.
    TrackNoNamesake Error "track-no-namesake",
    /// Verdicts of a backend whose servers nobody checks.
    TrackUnchecked Error "track-unchecked",
    /// Bytes to send or to wait for that are not hexadecimal, too many, or none.
    BadBytes Error "bad-bytes",
    /// A client certificate without its key, or the other way round.
    ClientCertificateHalf Error "client-certificate-half",

    /// The status page is open to everyone.
    AdminOpen Error "admin-open",
    /// Commands would be taken over the network, and of nobody.
    RemoteWithoutCredential Error "remote-without-credential",
    /// The status page listens where a frontend does.
    AdminPortTaken Error "admin-port-taken",

    /// Nobody can take over.
    SingleNode Warning "single-node",
    /// The identifier that most guides use.
    VirtualRouterIdCommon Warning "virtual-router-id-common",
    /// VRRPv2 authenticates nobody.
    PasswordInClear Warning "password-in-clear",
    /// A VIP without a service.
    VipWithoutFrontend Warning "vip-without-frontend",
    /// The servers together take fewer connections than a frontend lets in.
    ServersUnderFrontend Warning "servers-under-frontend",
    /// A backend that no frontend leads to.
    UnusedBackend Warning "unused-backend",
}
