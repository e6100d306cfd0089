//! From settings to a keeper that stands: interfaces found, leftovers removed, sockets open.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use fmc_config::model::election::Transport;
use fmc_config::model::family::Family;
use fmc_config::model::name::VipName;
use fmc_config::model::node::InterfaceName;
use fmc_config::model::vip::VirtualRouterId;

use super::lateness::Lateness;
use super::pair::Pair;
use super::port::Port;
use super::settings::{KeeperSettings, PeerSettings, Place, VipSettings};
use super::virtual_address::VirtualAddress;
use super::wake::Wake;
use super::{AdvertKeys, Keeper, MAX_INTERFACES};
use crate::boot_instant::BootInstant;
use crate::clock;
use crate::heartbeat;
use crate::kernel::{Address, Events, Interface, Kernel, KernelError};
use crate::lease::{
    self, AddressThread, CleanupError, Foreign, InterfaceIndex, LEASE, Outfit, Record, Tick, VirtualInterfaces,
};
use crate::packet::sequence::Sequences;
use crate::realtime::{Grant, Realtime};
use crate::router::{MAX_PEERS, Parameters, Peer, VirtualRouter};
use crate::socket::{AdvertSocket, AnnouncementSocket, SocketError};
use crate::tier::{TierError, TierPriorities};
use crate::virtual_mac::VirtualMac;

/// Why the keeper does not start. All of these are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// More VIPs than a heartbeat can speak of.
    #[error("{count} VIPs are more than the {room} that one heartbeat can speak of")]
    TooManyVips {
        /// So many there are.
        count: usize,
        /// So many there may be: of IPv6 fewer than of IPv4.
        room: usize,
    },
    /// More interfaces than we poll.
    #[error("the VIPs live on more than {MAX_INTERFACES} interfaces")]
    TooManyInterfaces,
    /// More nodes than a tier has priorities.
    #[error("{0} other nodes; at most {MAX_PEERS} can share an address with this one")]
    TooManyPeers(usize),
    /// The priority leaves no room for the tiers.
    #[error(transparent)]
    Tier(#[from] TierError),
    /// Two VIPs on one interface have the same VRID.
    #[error("VIPs {first} and {second} both use virtual_router_id {id} on {interface}; give one of them another")]
    VirtualRouterIdClash {
        /// One of them.
        first: VipName,
        /// The other.
        second: VipName,
        /// The VRID.
        id: VirtualRouterId,
        /// Where they live.
        interface: String,
    },
    /// Adverts need a source address.
    #[error("{interface} has no {family} address of its own for adverts to come from; add one")]
    NoPrimary {
        /// The interface of some VIP.
        interface: String,
        /// That of its virtual router.
        family: Family,
    },
    /// Adverts over IPv6 come from the link-local address, which every interface has that speaks IPv6 (RFC 4291 §2.1).
    #[error(
        "{interface} has no IPv6 link-local address for adverts to come from: IPv6 is off there; `sysctl -w \
         net.ipv6.conf.{interface}.disable_ipv6=0`, and in /etc/sysctl.d"
    )]
    NoLinkLocal {
        /// The interface of some VIP.
        interface: String,
    },
    /// A VIP of IPv6 that follows one of IPv4 needs no source address, but an interface that speaks IPv6.
    #[error(
        "VIP {vip} is of IPv6, which is off on {interface}; `sysctl -w net.ipv6.conf.{interface}.disable_ipv6=0`, and in \
         /etc/sysctl.d"
    )]
    Ipv6Off {
        /// The interface of the VIP.
        interface: String,
        /// Which one.
        vip: VipName,
    },
    /// A VIP is there and not ours.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// What an earlier process left cannot be removed.
    #[error(transparent)]
    Cleanup(#[from] CleanupError),
    /// The interface of a virtual MAC address cannot be.
    #[error(transparent)]
    VirtualInterface(#[from] lease::VirtualInterfaceError),
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A socket could not be opened.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// No thread, timer or random number.
    #[error("the system gives no {0}: {1}")]
    System(&'static str, io::Error),
}

/// What start-up looks at.
struct Ground {
    kernel: Kernel,
    interfaces: Vec<Interface>,
    addresses: Vec<Address>,
}

impl Keeper {
    /// Removes leftovers, finds the interfaces and opens every socket, in the network namespace of the calling thread. No VIP is
    /// claimed before [`Self::run`]. `runtime_dir` holds the record of our addresses.
    ///
    /// # Errors
    /// The sentence an operator needs, when this node cannot take part.
    pub fn start(settings: KeeperSettings, runtime_dir: &Path) -> Result<Self, StartError> {
        check_counts(&settings)?;
        lease::cleanup(runtime_dir)?;
        let in_record = |error| CleanupError::Record { directory: runtime_dir.display().to_string(), error };
        let record = Record::open(runtime_dir).map_err(in_record)?;
        // Before the first look, so that no change is missed.
        let events = Events::open()?;
        let mut ground = Ground::look()?;
        refuse_foreign(&mut ground, &record, &settings)?;
        refuse_ipv6_where_it_is_off(&ground, &settings)?;
        let ports = open_ports(&ground, &settings)?;
        let vips = virtual_addresses(&settings, &ports, &ground, clock::now())?;
        let tick = Tick::default();
        let mut virtual_interfaces = VirtualInterfaces::open(runtime_dir).map_err(in_record)?;
        if !settings.observe {
            make_virtual_interfaces(&mut ground, &vips, &ports, &mut virtual_interfaces)?;
        }
        let outfit = outfit(ground, &settings, &ports, &vips, (record, virtual_interfaces), tick.clone())?;
        Ok(Self {
            pair: Pair::open(&settings)?,
            wake: Wake::new().map_err(|errno| StartError::System("timer", errno.into()))?,
            addresses: AddressThread::start(outfit).map_err(|error| StartError::System("thread", error))?,
            vips,
            ports,
            events,
            tick,
            lateness: Lateness::default(),
            realtime: Realtime { scheduling: Grant::Refused(0), memory: Grant::Refused(0) },
            held_until: None,
            sends_failed: 0,
            must_verify: false,
            ends_by: None,
            authenticator: settings.auth_hmac.as_ref().map(AdvertKeys::authenticator),
            sequences: Sequences::default(),
            settings,
        })
    }
}

/// Whether a keeper with these settings would find its interfaces and may have its addresses, as far as can be told while
/// another one with other settings runs here. Asks the kernel, which may wait: not for the election thread.
///
/// # Errors
/// As for [`Keeper::start`].
pub fn check(settings: &KeeperSettings, runtime_dir: &Path) -> Result<(), StartError> {
    check_counts(settings)?;
    TierPriorities::new(settings.priority, settings.rank)?;
    let in_record = |error| CleanupError::Record { directory: runtime_dir.display().to_string(), error };
    let record = Record::open(runtime_dir).map_err(in_record)?;
    let mut ground = Ground::look()?;
    refuse_foreign(&mut ground, &record, settings)?;
    for (name, family) in places(settings) {
        let interface = ground.interface(name, settings.address)?;
        ids_on(&ground, interface, family, settings)?;
        ground.primary(interface, family, settings)?;
    }
    refuse_ipv6_where_it_is_off(&ground, settings)?;
    check_virtual_interfaces(&mut ground, settings)
}

fn check_virtual_interfaces(ground: &mut Ground, settings: &KeeperSettings) -> Result<(), StartError> {
    for vip in settings.vips.iter().filter(|vip| vip.virtual_mac && !settings.observe) {
        let parent = ground.interface(vip.interface.as_ref(), settings.address)?.clone();
        let mac = VirtualMac::new(vip.family(), vip.virtual_router_id);
        lease::check_virtual_interface(&mut ground.kernel, &parent, mac)?;
    }
    Ok(())
}

fn check_counts(settings: &KeeperSettings) -> Result<(), StartError> {
    let (count, room) = (addresses(settings).count(), heartbeat::room_for(addresses(settings)));
    if count > room {
        return Err(StartError::TooManyVips { count, room });
    }
    if settings.peers.len() > MAX_PEERS {
        return Err(StartError::TooManyPeers(settings.peers.len()));
    }
    Ok(())
}

/// Every address that is elected, with those that follow.
fn addresses(settings: &KeeperSettings) -> impl Iterator<Item = IpAddr> + '_ {
    settings.vips.iter().flat_map(VipSettings::addresses)
}

/// Where each of them lives, in the same order.
fn places(settings: &KeeperSettings) -> impl Iterator<Item = Place<'_>> {
    settings.vips.iter().flat_map(VipSettings::places)
}

impl Ground {
    fn look() -> Result<Self, KernelError> {
        let mut kernel = Kernel::open()?;
        Ok(Self { interfaces: kernel.interfaces()?, addresses: kernel.addresses()?, kernel })
    }

    fn interface(&self, name: Option<&InterfaceName>, own: IpAddr) -> Result<&Interface, KernelError> {
        let Some(name) = name else { return self.holder(own) };
        let named = self.interfaces.iter().find(|interface| interface.name == name.as_str());
        named.ok_or_else(|| KernelError::NoInterface { name: name.to_string() })
    }

    fn holder(&self, address: IpAddr) -> Result<&Interface, KernelError> {
        let held = self.addresses.iter().find(|held| held.address == address);
        let holder = held.and_then(|held| self.interfaces.iter().find(|interface| interface.index == held.index));
        holder.ok_or(KernelError::NoHolder { address })
    }

    /// Where adverts come from. By multicast over IPv6 that is the link-local address (RFC 9568 §5.1.2.1); else the node's own address
    /// when the interface holds it, or the interface's first one that is not a VIP.
    fn primary(&self, interface: &Interface, family: Family, settings: &KeeperSettings) -> Result<IpAddr, StartError> {
        let is_vip = |address| addresses(settings).any(|vip| vip == address);
        let is_own = |address: IpAddr| address == settings.address || settings.other_addresses.contains(&address);
        let from_link_local = family == Family::V6 && settings.transport == Transport::Multicast;
        let may_be = |held: &&Address| {
            let is_on_it = held.index == interface.index && Family::of(held.address) == family;
            is_on_it && !is_vip(held.address) && is_link_local(held.address) == from_link_local
        };
        let possible = || self.addresses.iter().filter(may_be);
        let own = possible().find(|held| is_own(held.address));
        let chosen = own.or(possible().find(|held| !held.secondary)).map(|held| held.address);
        let interface = || interface.name.clone();
        chosen.ok_or_else(|| match from_link_local {
            true => StartError::NoLinkLocal { interface: interface() },
            false => StartError::NoPrimary { interface: interface(), family },
        })
    }

    fn speaks_ipv6(&self, interface: &Interface) -> bool {
        self.addresses.iter().any(|held| held.index == interface.index && held.address.is_ipv6())
    }
}

/// An observer stands beside whoever holds the addresses.
fn refuse_foreign(ground: &mut Ground, record: &Record, settings: &KeeperSettings) -> Result<(), StartError> {
    if settings.observe {
        return Ok(());
    }
    let vips: Vec<_> = addresses(settings).collect();
    lease::foreign(&mut ground.kernel, record, &vips)?.map_or(Ok(()), |foreign| Err(foreign.into()))
}

/// The kernel would take such an address no more than any other that the interface is not for.
fn refuse_ipv6_where_it_is_off(ground: &Ground, settings: &KeeperSettings) -> Result<(), StartError> {
    for vip in &settings.vips {
        for ((address, name), interface) in vip.addresses().zip(vip.names()).zip(vip.interfaces()) {
            let interface = ground.interface(interface, settings.address)?;
            if address.is_ipv6() && !ground.speaks_ipv6(interface) {
                return Err(StartError::Ipv6Off { interface: interface.name.clone(), vip: name.clone() });
            }
        }
    }
    Ok(())
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn open_ports(ground: &Ground, settings: &KeeperSettings) -> Result<Vec<Port>, StartError> {
    let mut ports: Vec<Port> = Vec::new();
    for (name, family) in places(settings) {
        let interface = ground.interface(name, settings.address)?;
        if !ports.iter().any(|port| (port.index, port.family()) == (interface.index, family)) {
            ports.push(open_port(ground, interface, family, settings)?);
        }
    }
    if ports.len() > MAX_INTERFACES { Err(StartError::TooManyInterfaces) } else { Ok(ports) }
}

fn open_port(
    ground: &Ground,
    interface: &Interface,
    family: Family,
    settings: &KeeperSettings,
) -> Result<Port, StartError> {
    let ids = ids_on(ground, interface, family, settings)?;
    let primary = ground.primary(interface, family, settings)?;
    let socket = match settings.observe {
        true => AdvertSocket::overhear(&interface.name, interface.index, primary)?,
        false => AdvertSocket::open(&interface.name, interface.index, primary, &ids)?,
    };
    let mut port = Port::new(interface.name.clone(), interface.index, primary, ids, socket);
    port.running = interface.up;
    // A link-local address that is being looked for on the link is not ours yet; the kernel tells when it is.
    port.has_primary = ground.addresses.iter().any(|held| port.is_its_own(held.index, held.address) && held.usable);
    Ok(port)
}

/// The VRIDs of one family on one interface; those that follow speak where the one speaks that they follow.
fn ids_on(
    ground: &Ground,
    interface: &Interface,
    family: Family,
    settings: &KeeperSettings,
) -> Result<Vec<u8>, StartError> {
    let mut ids: Vec<(VirtualRouterId, &VipName)> = Vec::new();
    for vip in settings.vips.iter().filter(|vip| vip.family() == family) {
        if ground.interface(vip.interface.as_ref(), settings.address)?.index != interface.index {
            continue;
        }
        let id = vip.virtual_router_id;
        if let Some((_, first)) = ids.iter().find(|(other, _)| *other == id) {
            let (first, second) = ((*first).clone(), vip.name.clone());
            return Err(StartError::VirtualRouterIdClash { first, second, id, interface: interface.name.clone() });
        }
        ids.push((id, &vip.name));
    }
    Ok(ids.iter().map(|(id, _)| id.get()).collect())
}

fn virtual_addresses(
    settings: &KeeperSettings,
    ports: &[Port],
    ground: &Ground,
    now: BootInstant,
) -> Result<Vec<VirtualAddress>, StartError> {
    TierPriorities::new(settings.priority, settings.rank)?;
    let port_of = |(name, family): Place<'_>| -> Result<InterfaceIndex, KernelError> {
        let index = ground.interface(name, settings.address)?.index;
        Ok(ports.iter().position(|port| (port.index, port.family()) == (index, family)).unwrap_or_default())
    };
    let build = |vip: &VipSettings| {
        let ports_of: Vec<_> = vip.places().map(port_of).collect::<Result<_, _>>()?;
        let router = VirtualRouter::new(parameters(vip, settings, ports[ports_of[0]].primary)?, now);
        Ok(VirtualAddress::new(vip.clone(), &ports_of, router))
    };
    settings.vips.iter().map(build).collect()
}

/// What a virtual router is told of itself and of the others.
pub(super) fn parameters(
    vip: &VipSettings,
    settings: &KeeperSettings,
    source: IpAddr,
) -> Result<Parameters, TierError> {
    Ok(Parameters {
        virtual_router_id: vip.virtual_router_id,
        address: vip.address,
        others: vip.addresses().skip(1).collect(),
        source,
        rank: settings.rank,
        version: settings.version,
        transport: settings.transport,
        interval: settings.interval,
        priorities: TierPriorities::new(settings.priority, settings.rank)?,
        failback: settings.failback,
        settle: vip.settle,
        lease: LEASE,
        peers: settings
            .peers
            .iter()
            .map(|peer| Peer { rank: peer.rank, source: source_of(peer, vip.family()) })
            .collect(),
    })
}

/// As far as the settings tell: which link-local address a node has, its heartbeat says.
fn source_of(peer: &PeerSettings, family: Family) -> IpAddr {
    let none = match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    peer.address_in(family).unwrap_or(none)
}

fn make_virtual_interfaces(
    ground: &mut Ground,
    vips: &[VirtualAddress],
    ports: &[Port],
    made: &mut VirtualInterfaces,
) -> Result<(), StartError> {
    for (vip, mac) in vips.iter().filter_map(|vip| Some((vip, vip.virtual_mac()?))) {
        let parent = ground.interfaces.iter().find(|interface| interface.index == ports[vip.on].index);
        let parent = parent.ok_or_else(|| KernelError::NoInterface { name: ports[vip.on].name.clone() })?;
        made.make(&mut ground.kernel, (vip.on, parent), mac)?;
    }
    Ok(())
}

fn outfit(
    ground: Ground,
    settings: &KeeperSettings,
    ports: &[Port],
    vips: &[VirtualAddress],
    (record, virtual_interfaces): (Record, VirtualInterfaces),
    tick: Tick,
) -> Result<Outfit, StartError> {
    let open = |port: &Port| -> Result<lease::Port, StartError> {
        let interface = ground.interfaces.iter().find(|interface| interface.index == port.index);
        Ok(lease::Port {
            interface: interface.ok_or_else(|| KernelError::NoInterface { name: port.name.clone() })?.clone(),
            announcer: AnnouncementSocket::open(&port.name, port.index)?,
            primary: port.primary,
            virtual_router_ids: port.virtual_router_ids.clone(),
        })
    };
    Ok(Outfit {
        holdings: vips.iter().map(VirtualAddress::holding).collect(),
        ports: ports.iter().map(open).collect::<Result<_, _>>()?,
        record,
        virtual_interfaces,
        kernel: ground.kernel,
        tick,
        realtime: settings.realtime,
    })
}
