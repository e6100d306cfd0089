//! The interfaces of virtual MAC addresses: made when the keeper starts, up while their addresses are here, gone with the keeper.
//!
//! One that is down answers nothing, sends nothing and keeps its MAC address out of the card's filter: of all nodes, the network sees the
//! address at one port (RFC 9568 §6.4.2).

use std::fs;
use std::io;
use std::path::Path;

use nix::errno::Errno;

use super::InterfaceIndex;
use super::arp_settings::{ArpError, ArpSettings};
use crate::kernel::{Interface, Ipv4Setting, Kernel, KernelError};
use crate::virtual_mac::VirtualMac;
use fmc_config::model::family::Family;

/// Loose: the way back to a client leaves from the interface below, which the strict form (1) would not have. The kernel takes the
/// greater one of this and `net.ipv4.conf.all.rp_filter`.
const RP_FILTER_LOOSE: u32 = 2;

/// Answer for the addresses of this interface alone, not for those of the one below.
const ARP_IGNORE_OTHERS: u32 = 1;

/// Why such an interface cannot be.
#[derive(Debug, thiserror::Error)]
pub enum VirtualInterfaceError {
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The settings of the interface below.
    #[error(transparent)]
    Arp(#[from] ArpError),
    /// Router advertisements must not give it addresses.
    #[error(
        "{path}: {error}; the unit of the package lets the service write there, so compare yours with it, or remove \
         `virtual_mac` from the VIP"
    )]
    Setting {
        /// Of the kernel.
        path: String,
        /// What the system said.
        error: io::Error,
    },
}

/// Those of this keeper.
#[derive(Debug)]
pub struct VirtualInterfaces {
    made: Vec<Made>,
    arp: ArpSettings,
}

#[derive(Debug)]
struct Made {
    on: InterfaceIndex,
    mac: VirtualMac,
    interface: Interface,
}

impl VirtualInterfaces {
    /// None yet.
    ///
    /// # Errors
    /// The record of settings to give back cannot be read.
    pub fn open(runtime_dir: &Path) -> io::Result<Self> {
        Ok(Self { made: Vec::new(), arp: ArpSettings::open(runtime_dir)? })
    }

    /// Where this MAC address lives.
    pub(super) fn of(&self, on: InterfaceIndex, mac: VirtualMac) -> Option<&Interface> {
        self.made.iter().find(|made| (made.on, made.mac) == (on, mac)).map(|made| &made.interface)
    }

    /// Makes it above `parent`, down; one that is there stays as it is. `on`: what the keeper calls `parent`. Needs CAP_NET_ADMIN.
    pub fn make(
        &mut self,
        kernel: &mut Kernel,
        (on, parent): (InterfaceIndex, &Interface),
        mac: VirtualMac,
    ) -> Result<Interface, VirtualInterfaceError> {
        let interface = match kernel.interface_by_name(&mac.interface_name(parent.index)) {
            Ok(found) if found.mac == mac.octets() => found,
            _ => make(kernel, parent, mac)?,
        };
        if mac.family() == Family::V4 {
            self.arp.take(kernel, parent)?;
        }
        self.made.retain(|made| (made.on, made.mac) != (on, mac));
        self.made.push(Made { on, mac, interface: interface.clone() });
        Ok(interface)
    }

    /// Sets it up, made anew where somebody has deleted it or the interface below.
    pub(super) fn raise(
        &mut self,
        kernel: &mut Kernel,
        below: (InterfaceIndex, &Interface),
        mac: VirtualMac,
    ) -> Result<(), VirtualInterfaceError> {
        let interface = self.make(kernel, below, mac)?;
        Ok(kernel.set_up(&interface, true)?)
    }

    /// Sets it down. One that is gone is down.
    pub(super) fn lower(&self, kernel: &mut Kernel, on: InterfaceIndex, mac: VirtualMac) {
        if let Some(interface) = self.of(on, mac)
            && let Err(error) = kernel.set_up(interface, false)
        {
            tracing::debug!(%error, "a virtual interface is not set down");
        }
    }

    /// Deletes every one and gives the settings below back.
    pub(super) fn remove_all(&mut self, kernel: &mut Kernel) -> Result<(), VirtualInterfaceError> {
        for Made { interface, .. } in std::mem::take(&mut self.made) {
            delete(kernel, &interface)?;
        }
        Ok(self.arp.give_back(kernel)?)
    }
}

/// Deletes those that a dead process has left, and gives the settings below back.
pub(super) fn remove_leftovers(kernel: &mut Kernel, runtime_dir: &Path) -> Result<(), VirtualInterfaceError> {
    let is_ours = |interface: &Interface| VirtualMac::of_interface(&interface.name, interface.mac).is_some();
    for interface in kernel.interfaces()?.into_iter().filter(is_ours) {
        delete(kernel, &interface)?;
    }
    let path = || runtime_dir.display().to_string();
    let mut arp = ArpSettings::open(runtime_dir).map_err(|error| ArpError::Setting { path: path(), error })?;
    Ok(arp.give_back(kernel)?)
}

/// Whether one could be made above `parent`: makes it and deletes it, unless it is there.
///
/// # Errors
/// Why it could not.
pub fn check(kernel: &mut Kernel, parent: &Interface, mac: VirtualMac) -> Result<(), VirtualInterfaceError> {
    if kernel.interface_by_name(&mac.interface_name(parent.index)).is_ok() {
        return Ok(());
    }
    let interface = make(kernel, parent, mac)?;
    delete(kernel, &interface)
}

fn make(kernel: &mut Kernel, parent: &Interface, mac: VirtualMac) -> Result<Interface, VirtualInterfaceError> {
    let name = mac.interface_name(parent.index);
    kernel.add_macvlan(&name, parent, mac.octets())?;
    let interface = kernel.interface_by_name(&name)?;
    match set(kernel, &interface, mac.family()) {
        Ok(()) => Ok(interface),
        Err(error) => {
            delete(kernel, &interface)?;
            Err(error)
        }
    }
}

fn set(kernel: &mut Kernel, interface: &Interface, family: Family) -> Result<(), VirtualInterfaceError> {
    kernel.set_ipv4(interface, Ipv4Setting::RpFilter, RP_FILTER_LOOSE)?;
    kernel.set_ipv4(interface, Ipv4Setting::ArpIgnore, ARP_IGNORE_OTHERS)?;
    match (kernel.make_no_ipv6_addresses(interface), family) {
        // A kernel without IPv6 makes none.
        (Err(KernelError::Refused { errno: Errno::EAFNOSUPPORT, .. }), Family::V4) => return Ok(()),
        (answer, _) => answer?,
    }
    // RFC 9568 §7.4: a router's advertisement would have addresses made from the MAC address, whatever the mode above.
    match family {
        Family::V4 => write(interface, "disable_ipv6", "1"),
        Family::V6 => write(interface, "accept_ra", "0").and_then(|()| write(interface, "disable_ipv6", "0")),
    }
}

fn write(interface: &Interface, setting: &str, value: &str) -> Result<(), VirtualInterfaceError> {
    let path = format!("/proc/sys/net/ipv6/conf/{}/{setting}", interface.name);
    fs::write(&path, value).map_err(|error| VirtualInterfaceError::Setting { path, error })
}

fn delete(kernel: &mut Kernel, interface: &Interface) -> Result<(), VirtualInterfaceError> {
    match kernel.delete_interface(interface) {
        Ok(()) | Err(KernelError::InterfaceGone { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
