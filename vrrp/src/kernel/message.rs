//! rtnetlink messages: requests are built from the typed crates; answers and events are read in place, without allocation,
//! since the election thread sees one event for each renewal.

use std::net::IpAddr;

use fmc_config::model::family::Family;
use netlink_packet_core::{
    NLA_HEADER_SIZE, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload, NlaBuffer, NlasIterator,
};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressHeaderFlags, AddressMessage, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkHeader, LinkMessage};

use super::request::Grant;

/// `NLMSG_ERROR`, `NLMSG_DONE` and the rtnetlink types we meet (linux/netlink.h, linux/rtnetlink.h).
pub(super) const NLMSG_ERROR: u16 = 2;
pub(super) const NLMSG_DONE: u16 = 3;
pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_DELLINK: u16 = 17;
pub(super) const RTM_NEWADDR: u16 = 20;
pub(super) const RTM_DELADDR: u16 = 21;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const NETLINK_HEADER_LENGTH: usize = 16;
const LINK_HEADER_LENGTH: usize = 16;
const ADDRESS_HEADER_LENGTH: usize = 8;

/// One netlink message inside a datagram.
pub(super) struct Frame<'a> {
    pub(super) kind: u16,
    pub(super) sequence: u32,
    pub(super) payload: &'a [u8],
}

/// Walks the messages of one datagram; stops at the first that does not fit its length.
pub(super) fn frames(mut datagram: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        // Asked here, because the error of `new_checked` would allocate at the end of every datagram.
        (datagram.len() >= NETLINK_HEADER_LENGTH).then_some(())?;
        let message = NetlinkBuffer::new_checked(datagram).ok()?;
        let length = message.length() as usize;
        let frame = Frame {
            kind: message.message_type(),
            sequence: message.sequence_number(),
            payload: datagram.get(NETLINK_HEADER_LENGTH..length)?,
        };
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(frame)
    })
}

/// The errno of an `NLMSG_ERROR`; 0 is an acknowledgement.
pub(super) fn errno(payload: &[u8]) -> i32 {
    let code = payload.first_chunk::<4>().map_or(i32::MIN, |bytes| i32::from_ne_bytes(*bytes));
    code.checked_neg().unwrap_or(nix::libc::EIO)
}

/// What we read of an `RTM_NEWLINK` or `RTM_DELLINK`.
pub(super) struct LinkView<'a> {
    pub(super) index: u32,
    pub(super) name: &'a str,
    pub(super) mac: [u8; 6],
    pub(super) up: bool,
}

/// `None` for the messages of a bridge about its ports: there `RTM_DELLINK` says that a port left, not that a link is gone.
pub(super) fn link(payload: &[u8]) -> Option<LinkView<'_>> {
    let header = LinkHeader::parse(payload).ok()?;
    (header.interface_family == AddressFamily::Unspec).then_some(())?;
    let mut view = LinkView {
        index: header.index,
        name: "",
        mac: [0; 6],
        up: header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
    };
    for attribute in NlasIterator::new(payload.get(LINK_HEADER_LENGTH..)?).flatten() {
        let (kind, value) = parts(attribute);
        match kind {
            IFLA_IFNAME => view.name = text(value),
            IFLA_ADDRESS => view.mac = value.try_into().unwrap_or_default(),
            _ => {}
        }
    }
    Some(view)
}

/// What we read of an `RTM_NEWADDR` or `RTM_DELADDR`.
pub(super) struct AddressView<'a> {
    pub(super) index: u32,
    pub(super) address: IpAddr,
    pub(super) prefix_length: u8,
    pub(super) label: &'a str,
    pub(super) permanent: bool,
    pub(super) secondary: bool,
    pub(super) usable: bool,
}

/// `None` for another family or a message without an address.
pub(super) fn address(payload: &[u8]) -> Option<AddressView<'_>> {
    let header = AddressHeader::parse(payload).ok()?;
    let (mut local, mut peer, mut label) = (None, None, "");
    for attribute in NlasIterator::new(payload.get(ADDRESS_HEADER_LENGTH..)?).flatten() {
        let (kind, value) = parts(attribute);
        match kind {
            IFA_LOCAL => local = ip(value),
            IFA_ADDRESS => peer = ip(value),
            IFA_LABEL => label = text(value),
            _ => {}
        }
    }
    matches!(header.family, AddressFamily::Inet | AddressFamily::Inet6).then_some(())?;
    Some(AddressView {
        index: header.index,
        address: local.or(peer)?,
        prefix_length: header.prefix_len,
        label,
        permanent: header.flags.contains(AddressHeaderFlags::Permanent),
        secondary: header.flags.contains(AddressHeaderFlags::Secondary),
        usable: !header.flags.intersects(AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed),
    })
}

fn parts(attribute: NlaBuffer<&[u8]>) -> (u16, &[u8]) {
    let (kind, end) = (attribute.kind(), usize::from(attribute.length()));
    (kind, attribute.into_inner().get(NLA_HEADER_SIZE..end).unwrap_or_default())
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.first_chunk::<16>() {
        Some(octets) => Some(IpAddr::from(*octets)),
        None => value.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
    }
}

/// The kernel ends its strings with a zero byte; names and labels are ASCII.
fn text(value: &[u8]) -> &str {
    let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).unwrap_or_default()
}

/// `RTM_GETLINK` for one name.
pub(super) fn show_link(name: &str) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    RouteNetlinkMessage::GetLink(message)
}

/// `RTM_GETLINK` for all.
pub(super) fn list_links() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

/// `RTM_GETADDR` for every address of either family.
pub(super) fn list_addresses() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetAddress(AddressMessage::default())
}

/// `RTM_NEWADDR` for one address with a lifetime and without a prefix route.
///
/// One of IPv6 is not looked for on the link first: who had it may be dead, and its clients wait. And nothing is sent from it that does
/// not ask for it, as IPv4 would have it for any second address: a preferred lifetime of 0 makes it the last choice (RFC 6724 §5).
pub(super) fn new_address(grant: &Grant) -> RouteNetlinkMessage {
    let family = Family::of(grant.address);
    let mut message = host_address(grant.interface.index, grant.address, family.bits());
    let mut lifetime = CacheInfo::default();
    lifetime.ifa_valid = grant.lifetime_seconds;
    let mut flags = AddressFlags::Noprefixroute;
    match family {
        Family::V4 => lifetime.ifa_preferred = grant.lifetime_seconds,
        Family::V6 => flags |= AddressFlags::Nodad,
    }
    message.attributes.push(AddressAttribute::CacheInfo(lifetime));
    message.attributes.push(AddressAttribute::Flags(flags));
    message.attributes.extend(grant.label.clone().map(AddressAttribute::Label));
    RouteNetlinkMessage::NewAddress(message)
}

/// `RTM_DELADDR`.
pub(super) fn delete_address(index: u32, address: IpAddr, prefix_length: u8) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelAddress(host_address(index, address, prefix_length))
}

fn host_address(index: u32, address: IpAddr, prefix_length: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 },
        prefix_len: prefix_length,
        flags: AddressHeaderFlags::empty(),
        scope: AddressScope::Universe,
        index,
    };
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    message
}

/// The bytes of a request.
pub(super) fn encode(message: RouteNetlinkMessage, flags: u16, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    (header.flags, header.sequence_number) = (flags, sequence);
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 32));

    #[test]
    fn an_address_is_read_back_as_it_was_written() {
        let interface = super::super::Interface { index: 7, name: "eth0".to_owned(), mac: [0; 6], up: true };
        let grant = Grant { interface, address: VIP, label: Some("eth0:fmc".to_owned()), lifetime_seconds: 1 };
        let bytes = encode(new_address(&grant), 0, 9);
        let frame = frames(&bytes).next().unwrap();
        let view = address(frame.payload).unwrap();
        assert_eq!((frame.kind, frame.sequence), (RTM_NEWADDR, 9));
        assert_eq!((view.index, view.address, view.prefix_length, view.label), (7, VIP, 32, "eth0:fmc"));
    }

    #[test]
    fn an_address_of_ipv6_is_good_at_once_and_nobodys_first_choice() {
        let interface = super::super::Interface { index: 7, name: "eth0".to_owned(), mac: [0; 6], up: true };
        let vip = "fd00::32".parse().unwrap();
        let RouteNetlinkMessage::NewAddress(message) =
            new_address(&Grant { interface, address: vip, label: None, lifetime_seconds: 1 })
        else {
            panic!("another message");
        };
        let flags = AddressFlags::Noprefixroute | AddressFlags::Nodad;
        assert!(message.attributes.contains(&AddressAttribute::Flags(flags)), "{message:?}");
        let is_last_choice = |attribute: &AddressAttribute| matches!(attribute, AddressAttribute::CacheInfo(lifetime) if (lifetime.ifa_preferred, lifetime.ifa_valid) == (0, 1));
        assert!(message.attributes.iter().any(is_last_choice), "{message:?}");
        let bytes = encode(RouteNetlinkMessage::NewAddress(message), 0, 1);
        let view = address(frames(&bytes).next().unwrap().payload).unwrap();
        assert_eq!((view.address, view.prefix_length, view.usable), (vip, 128, true));
    }

    #[test]
    fn an_address_that_is_looked_for_on_the_link_or_was_found_there_is_not_usable() {
        for (flag, usable) in [
            (AddressHeaderFlags::Tentative, false),
            (AddressHeaderFlags::Dadfailed, false),
            (AddressHeaderFlags::Deprecated, true),
        ] {
            let mut message = host_address(7, "fe80::30".parse().unwrap(), 64);
            message.header.flags = flag;
            let bytes = encode(RouteNetlinkMessage::NewAddress(message), 0, 1);
            assert_eq!(address(frames(&bytes).next().unwrap().payload).unwrap().usable, usable, "{flag:?}");
        }
    }

    fn readable(datagram: &[u8]) -> usize {
        frames(datagram).filter(|frame| address(frame.payload).is_some() || link(frame.payload).is_some()).count()
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_loop() {
        let mut bytes = encode(delete_address(3, VIP, 32), 0, 1);
        for position in 0..bytes.len() {
            for value in [0, 1, 3, 0x7f, 0xff] {
                let kept = std::mem::replace(&mut bytes[position], value);
                assert!(readable(&bytes) <= bytes.len());
                bytes[position] = kept;
            }
            assert!(readable(&bytes[..position]) <= position);
        }
    }

    #[test]
    fn an_acknowledgement_is_errno_zero_and_a_short_one_is_an_error() {
        assert_eq!(errno(&0i32.to_ne_bytes()), 0);
        assert_eq!(errno(&(-1i32).to_ne_bytes()), 1);
        assert_eq!(errno(&[]), nix::libc::EIO);
    }
}
