//! Texts with a form: addresses, sizes, names, references to secrets. A value that exists is well formed.

mod text;

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use fmc_config::model::node::InterfaceName;
use ipnet::Ipv4Net;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::rule::Broken;

/// Why a text does not have its form, and the edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The rule of the form.
    pub rule: Broken,
    /// What is wrong.
    pub problem: String,
    /// What to write.
    pub fix: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.fix)
    }
}

fn fault(rule: Broken, problem: impl Into<String>, fix: impl Into<String>) -> Fault {
    Fault { rule, problem: problem.into(), fix: fix.into() }
}

/// Holds a text against a form.
pub(crate) type Proof = fn(&str) -> Result<(), Fault>;

/// Every form by the name that it has in the schema.
pub(crate) const FORMS: &[(&str, Proof)] = &[
    ("ipv4", |text| text.parse::<Address>().map(drop)),
    ("ipv4-prefix", |text| text.parse::<Prefix>().map(drop)),
    ("ipv4-range", |text| text.parse::<Range>().map(drop)),
    ("size", |text| text.parse::<Size>().map(drop)),
    ("name", |text| text.parse::<Name>().map(drop)),
    ("domain", |text| text.parse::<Domain>().map(drop)),
    ("mac", |text| text.parse::<Mac>().map(drop)),
    ("secret", |text| text.parse::<Secret>().map(drop)),
    ("sha256", |text| text.parse::<Checksum>().map(drop)),
    ("interface", |text| text.parse::<Interface>().map(drop)),
    ("span", |text| text.parse::<Span>().map(drop)),
    ("wireguard-key", |text| text.parse::<PublicKey>().map(drop)),
    ("port", |text| text.parse::<PortKey>().map(drop)),
    ("path", |text| text.parse::<FilePath>().map(drop)),
];

macro_rules! form {
    ($(#[$doc:meta])* $type:ident($inner:ty) $format:literal $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(pub(crate) $inner);

        impl TryFrom<String> for $type {
            type Error = Fault;
            fn try_from(text: String) -> Result<Self, Fault> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format, "examples": [$example] })
            }
        }
    };
}

macro_rules! shown_as_typed {
    ($($type:ident)+) => {
        $(impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl $type {
            /// As typed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        })+
    };
}

form!(
    /// The IPv4 address of a machine.
    Address(Ipv4Addr) "ipv4" "192.168.0.30"
);
form!(
    /// An IPv4 network.
    Prefix(Ipv4Net) "ipv4-prefix" "192.168.0.0/24"
);
form!(
    /// The first and the last address of a range, both in it.
    Range((Ipv4Addr, Ipv4Addr)) "ipv4-range" "192.168.0.100-192.168.0.199"
);
form!(
    /// An amount of memory or disk, in bytes, typed in MiB, GiB or TiB.
    Size(u64) "size" "2GiB"
);
form!(
    /// A host name: one DNS label (RFC 1035 §2.3.1).
    Name(String) "name" "loadbalancer1"
);
form!(
    /// A domain name, without the dot at its end.
    Domain(String) "domain" "cefaslocalserver.com"
);
form!(
    /// The hardware address of a NIC.
    Mac(String) "mac" "52:54:00:4c:00:1e"
);
form!(
    /// A secret by the name of its file in the directory of secrets. Never the secret itself.
    Secret(String) "secret" "file:k3s-token"
);
form!(
    /// The SHA-256 of a file.
    Checksum(String) "sha256" "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
);
form!(
    /// A network interface.
    Interface(InterfaceName) "interface" "enp3s0f0"
);
form!(
    /// A span of time.
    Span(Duration) "span" "5m"
);
form!(
    /// A public key of WireGuard: 32 bytes in base64.
    PublicKey(String) "wireguard-key" "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
);
form!(
    /// A port as the key of a table.
    PortKey(u16) "port" "80"
);
form!(
    /// A file or a directory, from the root.
    FilePath(String) "path" "/srv/nfs/shared"
);

shown_as_typed!(Name Domain Mac Checksum PublicKey FilePath);

impl Address {
    /// The address.
    pub fn get(&self) -> Ipv4Addr {
        self.0
    }
}

impl FromStr for Address {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let rule = Broken::BadAddress;
        if let Ok(net) = text.parse::<Ipv4Net>() {
            let fix = format!("leave the length out: \"{}\"", net.addr());
            return Err(fault(rule, format!("{text:?} is a network, not an address"), fix));
        }
        let fix = "write four numbers from 0 to 255, for example \"192.168.0.30\"";
        let address: Ipv4Addr =
            text.parse().map_err(|_| fault(rule, format!("{text:?} is not an IPv4 address"), fix))?;
        if address.is_loopback() || matches!(address.octets()[0], 0 | 224..=255) {
            return Err(fault(rule, format!("no machine can own {address}"), "write an address of its network"));
        }
        Ok(Self(address))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Prefix {
    /// The network.
    pub fn get(&self) -> Ipv4Net {
        self.0
    }
}

impl FromStr for Prefix {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let rule = Broken::BadPrefix;
        let fix = "write an address and a length, for example \"192.168.0.0/24\"";
        let net: Ipv4Net = text.parse().map_err(|_| fault(rule, format!("{text:?} is not a network"), fix))?;
        if net.addr() != net.network() {
            return Err(fault(
                rule,
                format!("{text} has bits set beyond its length"),
                format!("write \"{}\"", net.trunc()),
            ));
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Range {
    /// Whether `address` is in it.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.0.0..=self.0.1).contains(&address)
    }
}

impl FromStr for Range {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let fix = "write two addresses, the lower first: \"192.168.0.100-192.168.0.199\"";
        let wrong = || fault(Broken::BadRange, format!("{text:?} is not a range of addresses"), fix);
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let (first, last) = (first.trim().parse().map_err(|_| wrong())?, last.trim().parse().map_err(|_| wrong())?);
        if first > last { Err(wrong()) } else { Ok(Self((first, last))) }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.0, self.0.1)
    }
}

impl Size {
    /// In bytes.
    pub fn bytes(&self) -> u64 {
        self.0
    }

    /// In MiB, rounded down.
    pub fn mebibytes(&self) -> u64 {
        self.0 >> 20
    }
}

impl FromStr for Size {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let fix = "write a whole number with MiB, GiB or TiB, for example \"512MiB\" or \"30GiB\"";
        let wrong = || fault(Broken::BadSize, format!("{text:?} is not a size"), fix);
        let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = (text[..at].parse::<u64>().map_err(|_| wrong())?, text[at..].trim_start());
        let shift = match unit {
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return Err(wrong()),
        };
        let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes > 0);
        bytes.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes % (1 << 30) == 0 => write!(f, "{}GiB", bytes >> 30),
            bytes => write!(f, "{}MiB", bytes >> 20),
        }
    }
}
