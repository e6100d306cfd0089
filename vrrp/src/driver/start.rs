//! From settings to a keeper that stands: interfaces found, leftovers removed, sockets open.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use fmc_config::model::name::VipName;
use fmc_config::model::vip::VirtualRouterId;

use super::lateness::Lateness;
use super::pair::Pair;
use super::port::Port;
use super::settings::{KeeperSettings, VipSettings};
use super::virtual_address::VirtualAddress;
use super::wake::Wake;
use super::{AdvertKeys, Keeper, MAX_INTERFACES};
use crate::boot_instant::BootInstant;
use crate::clock;
use crate::heartbeat::MAX_VIRTUAL_ROUTERS;
use crate::kernel::{Address, Events, Interface, Kernel, KernelError};
use crate::lease::{self, AddressThread, CleanupError, Foreign, LEASE, Outfit, Record, Tick};
use crate::packet::sequence::Sequences;
use crate::realtime::{Grant, Realtime};
use crate::router::{MAX_PEERS, Parameters, Peer, VirtualRouter};
use crate::socket::{AdvertSocket, ArpSocket, SocketError};
use crate::tier::{TierError, TierPriorities};

/// Why the keeper does not start. All of these are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// More VIPs than a heartbeat can speak of.
    #[error("{0} VIPs are more than the {MAX_VIRTUAL_ROUTERS} that one heartbeat can speak of")]
    TooManyVips(usize),
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
    #[error("{interface} has no IPv4 address of its own for adverts to come from; add one")]
    NoPrimary {
        /// The interface of some VIP.
        interface: String,
    },
    /// A VIP is there and not ours.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// What an earlier process left cannot be removed.
    #[error(transparent)]
    Cleanup(#[from] CleanupError),
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
        let ports = open_ports(&ground, &settings)?;
        let vips = virtual_addresses(&settings, &ports, &ground, clock::now())?;
        let tick = Tick::default();
        let outfit = outfit(ground, &settings, &ports, &vips, record, tick.clone())?;
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
    for vip in &settings.vips {
        let interface = ground.interface(vip, settings.address)?;
        ids_on(&ground, interface, settings)?;
        ground.primary(interface, settings)?;
    }
    Ok(())
}

fn check_counts(settings: &KeeperSettings) -> Result<(), StartError> {
    if settings.vips.len() > MAX_VIRTUAL_ROUTERS {
        return Err(StartError::TooManyVips(settings.vips.len()));
    }
    if settings.peers.len() > MAX_PEERS {
        return Err(StartError::TooManyPeers(settings.peers.len()));
    }
    Ok(())
}

impl Ground {
    fn look() -> Result<Self, KernelError> {
        let mut kernel = Kernel::open()?;
        Ok(Self { interfaces: kernel.interfaces()?, addresses: kernel.addresses()?, kernel })
    }

    fn interface(&self, vip: &VipSettings, own: Ipv4Addr) -> Result<&Interface, KernelError> {
        let Some(name) = &vip.interface else { return self.holder(own) };
        let named = self.interfaces.iter().find(|interface| interface.name == name.as_str());
        named.ok_or_else(|| KernelError::NoInterface { name: name.to_string() })
    }

    fn holder(&self, address: Ipv4Addr) -> Result<&Interface, KernelError> {
        let held = self.addresses.iter().find(|held| held.address == address);
        let holder = held.and_then(|held| self.interfaces.iter().find(|interface| interface.index == held.index));
        holder.ok_or(KernelError::NoHolder { address })
    }

    /// The node's own address when the interface holds it, else the interface's first one that is not a VIP.
    fn primary(&self, interface: &Interface, settings: &KeeperSettings) -> Result<Ipv4Addr, StartError> {
        let is_vip = |address| settings.vips.iter().any(|vip| vip.address == address);
        let on_it = || self.addresses.iter().filter(|held| held.index == interface.index);
        let own = on_it().find(|held| held.address == settings.address);
        let first = on_it().find(|held| !held.secondary && !is_vip(held.address));
        let chosen = own.or(first).map(|held| held.address);
        chosen.ok_or_else(|| StartError::NoPrimary { interface: interface.name.clone() })
    }
}

/// An observer stands beside whoever holds the addresses.
fn refuse_foreign(ground: &mut Ground, record: &Record, settings: &KeeperSettings) -> Result<(), StartError> {
    if settings.observe {
        return Ok(());
    }
    let vips: Vec<_> = settings.vips.iter().map(|vip| vip.address).collect();
    lease::foreign(&mut ground.kernel, record, &vips)?.map_or(Ok(()), |foreign| Err(foreign.into()))
}

fn open_ports(ground: &Ground, settings: &KeeperSettings) -> Result<Vec<Port>, StartError> {
    let mut ports: Vec<Port> = Vec::new();
    for vip in &settings.vips {
        let interface = ground.interface(vip, settings.address)?;
        if !ports.iter().any(|port| port.index == interface.index) {
            ports.push(open_port(ground, interface, settings)?);
        }
    }
    if ports.len() > MAX_INTERFACES { Err(StartError::TooManyInterfaces) } else { Ok(ports) }
}

fn open_port(ground: &Ground, interface: &Interface, settings: &KeeperSettings) -> Result<Port, StartError> {
    let ids = ids_on(ground, interface, settings)?;
    let primary = ground.primary(interface, settings)?;
    let socket = AdvertSocket::open(&interface.name, interface.index, primary, &ids)?;
    let mut port = Port::new(interface.name.clone(), interface.index, primary, ids, socket);
    port.running = interface.up;
    Ok(port)
}

/// The VRIDs on one interface.
fn ids_on(ground: &Ground, interface: &Interface, settings: &KeeperSettings) -> Result<Vec<u8>, StartError> {
    let mut ids: Vec<(VirtualRouterId, &VipName)> = Vec::new();
    for vip in &settings.vips {
        if ground.interface(vip, settings.address)?.index != interface.index {
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
    let build = |vip: &VipSettings| {
        let index = ground.interface(vip, settings.address)?.index;
        let on = ports.iter().position(|port| port.index == index).unwrap_or_default();
        let router = VirtualRouter::new(parameters(vip, settings, ports[on].primary)?, now);
        Ok(VirtualAddress::new(vip.clone(), on, router))
    };
    settings.vips.iter().map(build).collect()
}

/// What a virtual router is told of itself and of the others.
pub(super) fn parameters(
    vip: &VipSettings,
    settings: &KeeperSettings,
    source: Ipv4Addr,
) -> Result<Parameters, TierError> {
    Ok(Parameters {
        virtual_router_id: vip.virtual_router_id,
        address: vip.address,
        source,
        rank: settings.rank,
        version: settings.version,
        transport: settings.transport,
        interval: settings.interval,
        priorities: TierPriorities::new(settings.priority, settings.rank)?,
        failback: settings.failback,
        settle: vip.settle,
        lease: LEASE,
        peers: settings.peers.iter().map(|peer| Peer { rank: peer.rank, source: peer.address }).collect(),
    })
}

fn outfit(
    ground: Ground,
    settings: &KeeperSettings,
    ports: &[Port],
    vips: &[VirtualAddress],
    record: Record,
    tick: Tick,
) -> Result<Outfit, StartError> {
    let open = |port: &Port| -> Result<lease::Port, StartError> {
        let interface = ground.interfaces.iter().find(|interface| interface.index == port.index);
        Ok(lease::Port {
            interface: interface.ok_or_else(|| KernelError::NoInterface { name: port.name.clone() })?.clone(),
            announcer: ArpSocket::open(&port.name, port.index)?,
            primary: port.primary,
            virtual_router_ids: port.virtual_router_ids.clone(),
        })
    };
    Ok(Outfit {
        holdings: vips.iter().map(VirtualAddress::holding).collect(),
        ports: ports.iter().map(open).collect::<Result<_, _>>()?,
        record,
        kernel: ground.kernel,
        tick,
        realtime: settings.realtime,
    })
}
