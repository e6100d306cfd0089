//! The forms of names, references, checksums, keys, paths and spans of time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fmc_config::model::node::InterfaceName;

use super::{Checksum, Domain, Fault, FilePath, Interface, Mac, Name, PortKey, PublicKey, Secret, Span, fault};
use crate::rule::Broken;

fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

impl FromStr for Name {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let fix = "use 1 to 63 lower-case letters, digits and '-', neither first nor last";
        if is_label(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(fault(Broken::BadHostName, format!("{text:?} cannot be a host name"), fix))
    }
}

impl FromStr for Domain {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if text.len() <= 200 && text.contains('.') && text.split('.').all(is_label) {
            return Ok(Self(text.to_owned()));
        }
        let fix = "write labels of lower-case letters, digits and '-' with dots between, for example \"lab.example\"";
        Err(fault(Broken::BadDomain, format!("{text:?} is not a domain name"), fix))
    }
}

impl FromStr for Mac {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let octets: Vec<_> = text.split(':').map(|octet| (octet.len(), u8::from_str_radix(octet, 16))).collect();
        let whole = octets.len() == 6 && octets.iter().all(|(length, octet)| *length == 2 && octet.is_ok());
        let multicast = matches!(octets.first(), Some((_, Ok(first))) if first & 1 == 1);
        if whole && !multicast {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        let fix = "write six pairs of hexadecimal digits, the first even: \"52:54:00:4c:00:1e\"; or leave it out";
        Err(fault(Broken::BadMac, format!("{text:?} is not the hardware address of one NIC"), fix))
    }
}

impl Secret {
    /// The file's name within the directory of secrets.
    pub fn file(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match text.strip_prefix("file:") {
            Some(name) if !name.is_empty() && !name.starts_with('.') && name.chars().all(plain) => {
                Ok(Self(name.to_owned()))
            }
            _ => {
                // What stands here may be the secret itself: it is not repeated.
                let fix = "put it into a file of `lab.secrets`, mode 0600, and write \"file:NAME\" here";
                Err(fault(Broken::SecretInline, "a secret does not stand in an inventory", fix))
            }
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file:{}", self.0)
    }
}

impl Checksum {
    /// The 64 hexadecimal digits.
    pub fn digits(&self) -> &str {
        self.0.trim_start_matches("sha256:")
    }
}

impl FromStr for Checksum {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let digits = text.strip_prefix("sha256:").unwrap_or_default();
        if digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        let fix = "write \"sha256:\" and the 64 digits that `sha256sum FILE` prints";
        Err(fault(Broken::BadChecksum, format!("{text:?} is not a SHA-256"), fix))
    }
}

impl Interface {
    /// As the kernel spells it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Interface {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let fix = "write a name that `ip link` shows, for example \"enp3s0f0\"";
        let wrong = |error| fault(Broken::BadInterface, format!("{text:?} is not an interface: {error}"), fix);
        text.parse::<InterfaceName>().map(Self).map_err(wrong)
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Span {
    /// The span.
    pub fn get(&self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let fix = "write a whole number with s, m or h, for example \"30s\" or \"5m\"";
        let wrong = || fault(Broken::BadSpan, format!("{text:?} is not a span of time"), fix);
        let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u32 = text[..at].parse().map_err(|_| wrong())?;
        let unit = match &text[at..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(wrong()),
        };
        if number == 0 { Err(wrong()) } else { Ok(Self(Duration::from_secs(u64::from(number) * unit))) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds if seconds % 3600 == 0 => write!(f, "{}h", seconds / 3600),
            seconds if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
            seconds => write!(f, "{seconds}s"),
        }
    }
}

impl FromStr for PublicKey {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let digit = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
        // 32 bytes are 43 digits and one '='; the last digit carries four bits, so two bits of it are zero.
        let last = text.chars().nth(42).unwrap_or_default();
        if text.len() == 44 && text.ends_with('=') && text[..43].chars().all(digit) && "AEIMQUYcgkosw048".contains(last)
        {
            return Ok(Self(text.to_owned()));
        }
        let fix = "write what `wg pubkey` prints: 43 characters and '='";
        Err(fault(Broken::BadPublicKey, format!("{text:?} is not a public key of WireGuard"), fix))
    }
}

impl FromStr for PortKey {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let wrong = || fault(Broken::BadPortKey, format!("{text:?} is not a port"), "write a number from 1 to 65535");
        text.parse().ok().filter(|port| *port > 0).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for PortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for FilePath {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '*' | '$' | '%');
        if text.starts_with('/')
            && text.len() > 1
            && !text.ends_with('/')
            && !text.contains("//")
            && text.chars().all(legal)
        {
            return Ok(Self(text.to_owned()));
        }
        let fix = "write the whole path without blanks and quotes, for example \"/srv/nfs/shared\"";
        Err(fault(Broken::BadFilePath, format!("{text:?} is not a path from the root"), fix))
    }
}
