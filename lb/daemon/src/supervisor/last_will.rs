//! What a dead keeper can no longer say: priority 0 for each VIP it owned, so that another node takes over after its
//! Skew_Time instead of three intervals of silence (RFC 9568 §6.4.3, Shutdown event).

use std::net::IpAddr;

use anyhow::{Context, Result};
use fmc_config::model::family::Family;
use fmc_vrrp::clock;
use fmc_vrrp::driver::AdvertKeys;
use fmc_vrrp::kernel::Kernel;
use fmc_vrrp::packet::sequence::Sequences;
use fmc_vrrp::packet::{Advertisement, MAX_LEN};
use fmc_vrrp::priority::Priority;
use fmc_vrrp::socket::AdvertSocket;
use fmc_vrrp::virtual_mac::VirtualMac;
use tracing::warn;

use crate::message::VipRole;

/// Resigns every VIP that was owned, those that follow another one with that one. A failure is a warning: the other node finds out by itself, three intervals later.
pub(crate) fn execute(roles: &[VipRole]) {
    for role in roles.iter().filter(|role| role.follows.is_none() && role.role.holds_address()) {
        if let Err(error) = resign(role, roles) {
            warn!(vip = %role.vip, "cannot resign in the dead keeper's place: {error:#}");
        }
    }
}

fn resign(role: &VipRole, roles: &[VipRole]) -> Result<()> {
    let mut kernel = Kernel::open()?;
    let interface = match &role.interface {
        Some(name) => kernel.interface_by_name(name.as_str())?,
        None => kernel.interface_holding(role.node)?,
    };
    let vips: Vec<IpAddr> = roles.iter().map(|role| role.address).collect();
    let source = primary_address(&mut kernel, interface.index, role, &vips);
    let source = source.context("the interface has no address of its own")?;
    let socket = AdvertSocket::open(&interface.name, interface.index, source, &[])?;
    let follows = |other: &&VipRole| other.follows.as_ref() == Some(&role.vip);
    let followers: Vec<IpAddr> = roles.iter().filter(follows).map(|follower| follower.address).collect();
    let message =
        Advertisement::of_one(role.virtual_router_id, Priority::RESIGN, role.interval, role.address).and(&followers);
    // By the clock: should the keeper have been ahead of it, this is a replay, and others find out three intervals later.
    let keys = role.auth_hmac.as_ref().map(AdvertKeys::authenticator);
    let sequence = Sequences::default().next(clock::utc());
    let mac = VirtualMac::new(Family::of(role.address), role.virtual_router_id);
    let mut bytes = [0; MAX_LEN];
    for &to in &role.destinations {
        let message = message.encode(source, to, role.version, &mut bytes);
        let length = keys.as_ref().map_or(message, |keys| keys.sign((source, to), sequence, message, &mut bytes));
        let sent = match role.virtual_mac {
            true => socket.send_from(mac.octets(), &bytes[..length], to),
            false => socket.send(&bytes[..length], to),
        };
        sent.with_context(|| format!("cannot send to {to}"))?;
    }
    Ok(())
}

/// The node's own address when it is on the interface, else the first of its family that is no VIP; by multicast over IPv6 the
/// link-local one.
fn primary_address(kernel: &mut Kernel, index: u32, role: &VipRole, vips: &[IpAddr]) -> Option<IpAddr> {
    let from_link_local = role.address.is_ipv6() && role.destinations.iter().any(IpAddr::is_multicast);
    let may_be = |address: &IpAddr| {
        let is_link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        let is_of_family = Family::of(*address) == Family::of(role.address);
        is_of_family && !vips.contains(address) && is_link_local == from_link_local
    };
    let held = kernel.addresses().ok()?.into_iter().filter(|held| held.index == index).map(|held| held.address);
    let own: Vec<IpAddr> = held.filter(may_be).collect();
    own.iter().find(|address| **address == role.node).or(own.first()).copied()
}
