//! Interfaces with a MAC address of their own above another one, and the settings that netlink sets for them.

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoMacVlan, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage, MacVlanMode,
};

use super::{Interface, Kernel, KernelError, Request};
use crate::arp::HardwareAddress;

/// `IFLA_INET_CONF` (linux/if_link.h).
const IFLA_INET_CONF: u16 = 1;

/// A setting of IPv4 on one interface, by its number in linux/ip.h (`IPV4_DEVCONF_*`); what it does says ip-sysctl.rst of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipv4Setting {
    /// Whether the way back to a source must be the way that it came.
    RpFilter,
    /// Which of its own addresses the host names when it asks for another.
    ArpAnnounce,
    /// Which questions for its own addresses the host answers.
    ArpIgnore,
}

impl Ipv4Setting {
    const fn number(self) -> u16 {
        match self {
            Self::RpFilter => 8,
            Self::ArpAnnounce => 18,
            Self::ArpIgnore => 19,
        }
    }

    /// As in `net.ipv4.conf.INTERFACE`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RpFilter => "rp_filter",
            Self::ArpAnnounce => "arp_announce",
            Self::ArpIgnore => "arp_ignore",
        }
    }
}

impl Kernel {
    /// Makes one above `parent`, down. [`KernelError::NoMacvlan`] when the kernel cannot. Needs CAP_NET_ADMIN.
    ///
    /// In mode bridge, because in mode private the kernel hands a multicast frame from the same MAC address, that is, every advert of
    /// another owner, to this interface and to nobody else (`macvlan_handle_frame`, drivers/net/macvlan.c).
    pub fn add_macvlan(&mut self, name: &str, parent: &Interface, mac: HardwareAddress) -> Result<(), KernelError> {
        let what = || Request::AddMacvlan(name.to_owned(), parent.name.clone());
        let mode = InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Bridge)]);
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Link(parent.index),
            LinkAttribute::Address(mac.to_vec()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::MacVlan), LinkInfo::Data(mode)]),
        ];
        self.command(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL, what)
    }

    /// Deletes an interface. Needs CAP_NET_ADMIN.
    pub fn delete_interface(&mut self, interface: &Interface) -> Result<(), KernelError> {
        let what = || Request::DeleteInterface(interface.name.clone());
        self.command(RouteNetlinkMessage::DelLink(of(interface)), 0, what)
    }

    /// Sets it up or down. Needs CAP_NET_ADMIN.
    pub fn set_up(&mut self, interface: &Interface, up: bool) -> Result<(), KernelError> {
        let mut message = of(interface);
        message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        message.header.change_mask = LinkFlags::Up;
        self.set(interface, message)
    }

    /// Changes one setting of IPv4. Needs CAP_NET_ADMIN, but no writable /proc/sys.
    pub fn set_ipv4(&mut self, interface: &Interface, setting: Ipv4Setting, value: u32) -> Result<(), KernelError> {
        // Within it: length, number and value of each setting, as any attribute.
        let mut one = Vec::with_capacity(8);
        one.extend(8_u16.to_ne_bytes());
        one.extend(setting.number().to_ne_bytes());
        one.extend(value.to_ne_bytes());
        let conf = AfSpecInet::Other(DefaultNla::new(IFLA_INET_CONF, one));
        let mut message = of(interface);
        message.attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet(vec![conf])]));
        self.set(interface, message)
    }

    /// Has the kernel make no interface identifier from its MAC address (RFC 9568 §7.4). Needs CAP_NET_ADMIN.
    pub fn make_no_ipv6_addresses(&mut self, interface: &Interface) -> Result<(), KernelError> {
        let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        let mut message = of(interface);
        message.attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])]));
        self.set(interface, message)
    }

    fn set(&mut self, interface: &Interface, message: LinkMessage) -> Result<(), KernelError> {
        self.command(RouteNetlinkMessage::SetLink(message), 0, || Request::SetInterface(interface.name.clone()))
    }
}

fn of(interface: &Interface) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = interface.index;
    message
}
