//! Links and addresses of the kernel, by rtnetlink(7) and without a runtime. The only module that names netlink crates.
//!
//! [`Kernel`] asks and waits for the answer; a request may wait for the rtnl lock, so it belongs to the address thread.
//! [`Events`] tells what others changed and never waits; it belongs to the election thread.

mod events;
mod macvlan;
mod message;
mod request;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use nix::errno::Errno;

pub use events::{Events, KernelEvent};
pub use macvlan::Ipv4Setting;
pub use request::{Grant, Kernel};

/// A network interface as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number for it; a recreated interface gets a new one.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address; zeros when it has none.
    pub mac: [u8; 6],
    /// Administratively up and with carrier (`IFF_UP` and `IFF_LOWER_UP`, netdevice(7)).
    pub up: bool,
}

/// An address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The interface that holds it.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Length of its prefix, in bits.
    pub prefix_length: u8,
    /// `IFA_LABEL`: the interface's name unless who added it chose another; IPv6 has none.
    pub label: String,
    /// No lifetime: it stays until somebody deletes it (`IFA_F_PERMANENT`).
    pub permanent: bool,
    /// Not the first address of its subnet on the interface (`IFA_F_SECONDARY`); of IPv6 one that hides who it is (`IFA_F_TEMPORARY`).
    pub secondary: bool,
    /// Duplicate address detection (RFC 4862 §5.4) neither looks for another host with it still (`IFA_F_TENTATIVE`) nor has found
    /// one (`IFA_F_DADFAILED`). IPv4 knows nothing of it.
    pub usable: bool,
}

/// Why the kernel did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Operator: the name in the configuration fits no interface.
    #[error("interface {name} does not exist; `ip link` lists those that do")]
    NoInterface {
        /// The name that was looked for.
        name: String,
    },
    /// Operator: no interface has this address.
    #[error("no interface holds {address}; add it to one, or name this node's own address in [nodes]")]
    NoHolder {
        /// The address that was looked for.
        address: IpAddr,
    },
    /// Operator: the process may not change the network.
    #[error("{request}: the kernel refuses (EPERM); the keeper needs CAP_NET_ADMIN (run it as root or by its unit)")]
    Denied {
        /// What was asked.
        request: Request,
    },
    /// The address is there already.
    #[error("{request}: it is there already (EEXIST)")]
    Exists {
        /// What was asked.
        request: Request,
    },
    /// The address is not there (any more).
    #[error("{request}: it is not there (EADDRNOTAVAIL)")]
    Absent {
        /// What was asked.
        request: Request,
    },
    /// The interface went away.
    #[error("{request}: the interface is gone (ENODEV); the keeper waits until it is back")]
    InterfaceGone {
        /// What was asked.
        request: Request,
    },
    /// Operator: the kernel was built without macvlan, or its module is not installed.
    #[error(
        "{request}: the kernel has no macvlan (EOPNOTSUPP); `modprobe macvlan` shows why (on AlmaLinux it is in the package \
         kernel-modules), or remove `virtual_mac` from the VIP"
    )]
    NoMacvlan {
        /// What was asked.
        request: Request,
    },
    /// Operator: the interface can carry no other.
    #[error(
        "{request}: the interface carries no macvlan ({errno}), as a port of a bridge or a bond does not; name the bridge or the \
         bond as `interface`, or remove `virtual_mac` from the VIP"
    )]
    CarriesNoMacvlan {
        /// What was asked.
        request: Request,
        /// The kernel's answer.
        errno: Errno,
    },
    /// Kernel: any other refusal.
    #[error("{request}: the kernel answers {errno}")]
    Refused {
        /// What was asked.
        request: Request,
        /// Its answer.
        errno: Errno,
    },
    /// Kernel: no answer, most often because something holds the rtnl lock.
    #[error("{request}: no answer from the kernel within {limit:?}")]
    Silent {
        /// What was asked.
        request: Request,
        /// How long we waited.
        limit: Duration,
    },
    /// Kernel: the netlink socket itself failed.
    #[error("rtnetlink socket: {0}")]
    Socket(#[from] io::Error),
}

/// What was asked of the kernel, in the words an error needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Look at one interface.
    ShowInterface(String),
    /// List every interface.
    ListInterfaces,
    /// List every address.
    ListAddresses,
    /// Put an address on an interface.
    Add(IpAddr, String),
    /// Prolong the lifetime of an address.
    Renew(IpAddr, String),
    /// Take an address from an interface.
    Delete(IpAddr, String),
    /// Make a macvlan of this name above this interface.
    AddMacvlan(String, String),
    /// Change an interface.
    SetInterface(String),
    /// Delete an interface.
    DeleteInterface(String),
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShowInterface(name) => write!(f, "reading interface {name}"),
            Self::ListInterfaces => f.write_str("listing interfaces"),
            Self::ListAddresses => f.write_str("listing addresses"),
            Self::Add(address, interface) => write!(f, "adding {address} to {interface}"),
            Self::Renew(address, interface) => write!(f, "renewing {address} on {interface}"),
            Self::Delete(address, interface) => write!(f, "deleting {address} from {interface}"),
            Self::AddMacvlan(name, parent) => write!(f, "making {name} above {parent}"),
            Self::SetInterface(name) => write!(f, "changing interface {name}"),
            Self::DeleteInterface(name) => write!(f, "deleting interface {name}"),
        }
    }
}

impl Request {
    pub(crate) fn refused(self, errno: Errno) -> KernelError {
        match (errno, self) {
            (Errno::ENODEV, Self::ShowInterface(name)) => KernelError::NoInterface { name },
            (Errno::EOPNOTSUPP, request @ Self::AddMacvlan(..)) => KernelError::NoMacvlan { request },
            (errno @ (Errno::EBUSY | Errno::EINVAL), request @ Self::AddMacvlan(..)) => {
                KernelError::CarriesNoMacvlan { request, errno }
            }
            (Errno::EPERM | Errno::EACCES, request) => KernelError::Denied { request },
            (Errno::EEXIST, request) => KernelError::Exists { request },
            (Errno::EADDRNOTAVAIL, request) => KernelError::Absent { request },
            (Errno::ENODEV, request) => KernelError::InterfaceGone { request },
            (errno, request) => KernelError::Refused { request, errno },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn add() -> Request {
        Request::Add(IpAddr::V4(Ipv4Addr::new(192, 168, 0, 32)), "eth0".to_owned())
    }

    #[test]
    fn a_missing_capability_is_named_with_the_address_and_the_interface() {
        assert_eq!(
            add().refused(Errno::EPERM).to_string(),
            "adding 192.168.0.32 to eth0: the kernel refuses (EPERM); the keeper needs CAP_NET_ADMIN (run it as root or by its unit)"
        );
    }

    #[test]
    fn a_kernel_without_macvlan_and_an_interface_that_carries_none_are_told_with_what_to_do() {
        let make = || Request::AddMacvlan("fmc4-2-32".to_owned(), "eth0".to_owned());
        assert_eq!(
            make().refused(Errno::EOPNOTSUPP).to_string(),
            "making fmc4-2-32 above eth0: the kernel has no macvlan (EOPNOTSUPP); `modprobe macvlan` shows why (on AlmaLinux it \
             is in the package kernel-modules), or remove `virtual_mac` from the VIP"
        );
        assert!(make().refused(Errno::EBUSY).to_string().contains("as a port of a bridge or a bond does not"));
    }

    #[test]
    fn an_absent_interface_is_told_from_one_that_went_away() {
        let shown = Request::ShowInterface("eth7".to_owned()).refused(Errno::ENODEV);
        assert_eq!(shown.to_string(), "interface eth7 does not exist; `ip link` lists those that do");
        assert!(matches!(add().refused(Errno::ENODEV), KernelError::InterfaceGone { .. }));
    }
}
