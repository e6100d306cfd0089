//! Addresses that a process of ours left behind, and addresses that are not ours to touch.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use super::record::Record;
use super::virtual_interface::{self, VirtualInterfaceError};
use crate::kernel::{Address, Interface, Kernel, KernelError};

/// `IFA_LABEL` is at most `IFNAMSIZ - 1` bytes (netdevice(7)).
const LABEL_LENGTH: usize = 15;
const LABEL_SUFFIX: &str = ":fmc";

/// An address that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Where it was.
    pub interface: String,
    /// Which one.
    pub address: IpAddr,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.address, self.interface)
    }
}

/// Why leftovers could not be removed.
#[derive(Debug, thiserror::Error)]
pub enum CleanupError {
    /// The record of ours cannot be read or written.
    #[error("the record of our addresses in {directory}: {error}; is the directory there and ours?")]
    Record {
        /// The runtime directory.
        directory: String,
        /// What the system said.
        error: io::Error,
    },
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// An interface of a virtual MAC address.
    #[error(transparent)]
    VirtualInterface(#[from] VirtualInterfaceError),
}

/// A virtual address is on this host already and nothing says that it is ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address} is on {interface} but not marked as ours; it may be Keepalived's: stop it there, or `ip addr del \
     {address}/{prefix_length} dev {interface}`"
)]
pub struct Foreign {
    /// The address.
    pub address: IpAddr,
    /// The interface that holds it.
    pub interface: String,
    /// With this prefix.
    pub prefix_length: u8,
}

/// Removes every address that is ours, as `fmc-lb cleanup` does and the supervisor when the keeper dies.
///
/// Ours is what carries our label, or what the record names and has a lifetime. Anything else stays. Every address is
/// tried before the first error is returned. The interfaces of virtual MAC addresses follow.
pub fn cleanup(runtime_dir: &Path) -> Result<Vec<Removed>, CleanupError> {
    let in_record = |error| CleanupError::Record { directory: runtime_dir.display().to_string(), error };
    let mut record = Record::open(runtime_dir).map_err(in_record)?;
    let mut kernel = Kernel::open()?;
    let mut removed = Vec::new();
    let mut failed = Ok(());
    for (interface, address) in leftovers(&mut kernel, &record)? {
        match kernel.delete_address(&address, &interface) {
            Ok(()) => removed.push(Removed { interface, address: address.address }),
            Err(KernelError::Absent { .. } | KernelError::InterfaceGone { .. }) => {}
            Err(error) => failed = failed.and(Err(error)),
        }
    }
    failed?;
    virtual_interface::remove_leftovers(&mut kernel, runtime_dir)?;
    record.clear().map_err(in_record)?;
    Ok(removed)
}

/// The first of `vips` that some interface holds without our mark.
pub fn foreign(kernel: &mut Kernel, record: &Record, vips: &[IpAddr]) -> Result<Option<Foreign>, KernelError> {
    let interfaces = kernel.interfaces()?;
    let mut held = kernel.addresses()?.into_iter().map(|address| (name(&interfaces, &address), address));
    let unmarked = held.find(|(on, address)| vips.contains(&address.address) && !is_ours(on, address, record));
    Ok(unmarked.map(|(interface, held)| Foreign {
        address: held.address,
        interface,
        prefix_length: held.prefix_length,
    }))
}

/// The label of our addresses of IPv4 on `interface`; `None` when the interface's name leaves no room for it.
pub fn label(interface: &str) -> Option<String> {
    Some(format!("{interface}{LABEL_SUFFIX}")).filter(|label| label.len() <= LABEL_LENGTH)
}

/// Whether this address carries our mark.
///
/// The record alone is not enough: it is written before the address is added, so a permanent address that it names was
/// there before us, since ours always have a lifetime.
pub fn is_ours(interface: &str, address: &Address, record: &Record) -> bool {
    let labelled = label(interface).is_some_and(|label| label == address.label);
    labelled || (!address.permanent && record.holds(interface, address.address))
}

fn leftovers(kernel: &mut Kernel, record: &Record) -> Result<Vec<(String, Address)>, KernelError> {
    let interfaces = kernel.interfaces()?;
    let all = kernel.addresses()?.into_iter().map(|address| (name(&interfaces, &address), address));
    Ok(all.filter(|(on, address)| is_ours(on, address, record)).collect())
}

fn name(interfaces: &[Interface], address: &Address) -> String {
    let holder = interfaces.iter().find(|interface| interface.index == address.index);
    holder.map_or_else(String::new, |interface| interface.name.clone())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_label_that_does_not_fit_is_left_out() {
        assert_eq!(label("eth0").as_deref(), Some("eth0:fmc"));
        assert_eq!(label("elevenchars").as_deref(), Some("elevenchars:fmc"));
        assert_eq!(label("twelve-chars"), None);
    }

    #[test]
    fn our_label_counts_only_on_the_interface_that_it_names() {
        let directory = std::env::temp_dir();
        let record = Record::open(&directory.join("absent")).unwrap();
        let held = Address {
            index: 2,
            address: IpAddr::V4(Ipv4Addr::new(192, 168, 0, 32)),
            prefix_length: 32,
            label: "eth0:fmc".to_owned(),
            permanent: false,
            secondary: false,
            usable: true,
        };
        assert!(is_ours("eth0", &held, &record));
        assert!(!is_ours("lan0", &held, &record));
    }
}
