//! The address thread: installs virtual addresses as leases that the kernel ends by itself, renews them while the election
//! is alive, and announces them.
//!
//! ```text
//! election ── AddressCommand ──▶ address thread ── rtnetlink, may wait for the rtnl lock ──▶ kernel
//!     ▲                               │ renews each 250 ms, only while the election's tick is fresh
//!     └──── AddressReport, wake-up ───┘
//! ```
//!
//! A renewal that comes after the expiry would add the address again, perhaps while another node serves it. So a lease whose
//! renewal is late by half of its length is never renewed: the address is removed and reported lost, and the router
//! decides anew. An address that is not installed within half a lease counts as lost too, and a command that was overtaken
//! while the kernel kept the thread waiting is not carried out any more. When the thread itself dies or freezes, the kernel
//! removes the address 1 to 2 seconds after the last renewal.

mod arp_settings;
mod leftovers;
mod newest;
mod record;
mod thread;
mod tick;
mod virtual_interface;

use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::kernel::{Interface, Kernel};
use crate::router::AddressLoss;
use crate::socket::{AdvertSocket, AnnouncementSocket};
use crate::virtual_mac::VirtualMac;
use newest::Newest;

pub use arp_settings::ArpError;
pub use leftovers::{CleanupError, Foreign, Removed, cleanup, foreign, is_ours, label};
pub use record::Record;
pub use tick::Tick;
pub use virtual_interface::{VirtualInterfaceError, VirtualInterfaces, check as check_virtual_interface};

/// `valid_lft` of a virtual address; the kernel removes it 1 to 2 seconds after the last renewal.
pub const LEASE: Duration = Duration::from_secs(1);

/// How often a lease is renewed. A renewal is one RTM_NEWADDR to every listener of rtnetlink and changes no route.
pub const RENEWAL: Duration = Duration::from_millis(250);

/// A renewal later than this after the one before is not made: it would be late by half a lease, and the kernel may remove the
/// address a whole lease after the one before.
pub const LATEST_RENEWAL: Duration = Duration::from_millis(750);

/// How long an address that was handed over stays for the last words of its connections. New ones no longer come: the taker
/// has announced itself.
pub const FAREWELL: Duration = Duration::from_millis(10);

/// The election thread stamps its tick at least each 100 ms; one older than this belongs to a frozen thread.
pub const FRESH: Duration = Duration::from_millis(300);

/// Commands on their way: a promotion of 100 VIPs is 200. When it is full the address thread waits for the kernel, its leases
/// end by themselves, and the election is told that the command was not taken.
const COMMANDS: usize = 512;

/// Reports on their way. When it is full the address thread waits: an election that does not read its reports is frozen, and
/// then its leases shall end.
const REPORTS: usize = 512;

/// Places for addresses: twice as many as one heartbeat can speak of, since one that is given up keeps its place until it is gone.
pub const PLACES: usize = 2 * crate::heartbeat::MAX_VIRTUAL_ROUTERS;

/// A virtual address with those that follow it, by its place in the settings.
pub type VipIndex = usize;

/// An interface, by its place in the keeper's list.
pub type InterfaceIndex = usize;

/// Numbers the installs and removals of one address, so that a report is matched with the command that it answers.
pub type Epoch = u32;

/// What the election wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressCommand {
    /// Put the address on its interface.
    Install(VipIndex, Epoch),
    /// Take it away.
    Remove(VipIndex, Epoch),
    /// Take it away after [`FAREWELL`]: it was handed over, and the resets of its connections still leave from it.
    Leave(VipIndex, Epoch),
    /// Gratuitous ARP, in request and in reply form, or an unsolicited neighbour advertisement, if the address is installed.
    Announce(VipIndex),
    /// From now on the place is that of this address; what is installed there goes first.
    Hold(VipIndex, Holding),
    /// Events were lost: compare what is held with what the kernel has.
    Verify,
    /// The interface was recreated: open its sockets anew.
    Reopen(InterfaceIndex),
}

/// What became of it.
#[derive(Debug)]
pub enum AddressReport {
    /// What became of an address by the command of this epoch.
    Address(VipIndex, Epoch, Outcome),
    /// It could not be announced.
    Unannounced(VipIndex, io::Error),
    /// The state of an interface, after [`AddressCommand::Verify`] or [`AddressCommand::Reopen`].
    Interface(InterfaceIndex, Result<Box<Seen>, String>),
}

/// What became of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is installed.
    Installed,
    /// It is not installed, as was asked.
    Removed,
    /// It was installed and is no more, or may not be renewed.
    Lost(AddressLoss),
    /// It could not be installed; the sentence says why.
    Failed(String),
}

/// An interface as it is now.
#[derive(Debug)]
pub struct Seen {
    /// The kernel's view.
    pub interface: Interface,
    /// It holds the address that adverts come from.
    pub has_primary: bool,
    /// A new socket for adverts, when the interface was recreated.
    pub adverts: Option<AdvertSocket>,
}

/// The election's end of the address thread. Dropping it removes every address that is installed.
#[derive(Debug)]
pub struct AddressThread {
    commands: Option<SyncSender<AddressCommand>>,
    reports: Receiver<AddressReport>,
    newest: Newest,
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
}

/// What the thread needs to know of one virtual address, or of several that come and go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The addresses; adverts leave where the first one lives.
    pub homes: Vec<Home>,
    /// Its VRID.
    pub virtual_router_id: u8,
}

/// An address and where it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home {
    /// The address.
    pub address: IpAddr,
    /// Its interface.
    pub on: InterfaceIndex,
    /// It lives above that interface, on one with this MAC address, which answers for it.
    pub virtual_mac: Option<VirtualMac>,
}

/// What the thread needs to know of one interface.
#[derive(Debug)]
pub struct Port {
    /// The interface as it is.
    pub interface: Interface,
    /// Announcements leave here.
    pub announcer: AnnouncementSocket,
    /// Source of the adverts on it, for a socket that is opened anew.
    pub primary: IpAddr,
    /// VRIDs on it, likewise.
    pub virtual_router_ids: Vec<u8>,
}

/// What the thread starts with.
#[derive(Debug)]
pub struct Outfit {
    /// Every virtual address, at most [`PLACES`]; its place is its [`VipIndex`].
    pub holdings: Vec<Holding>,
    /// Every interface; its place is its [`InterfaceIndex`].
    pub ports: Vec<Port>,
    /// The record of ours, after [`cleanup`].
    pub record: Record,
    /// Those of the virtual MAC addresses, made.
    pub virtual_interfaces: VirtualInterfaces,
    /// A socket of its own.
    pub kernel: Kernel,
    /// Stamped by the election.
    pub tick: Tick,
    /// Schedule the thread SCHED_FIFO, below the election.
    pub realtime: bool,
}

impl AddressThread {
    /// Starts it, in the network namespace of the calling thread.
    pub fn start(outfit: Outfit) -> io::Result<Self> {
        let (commands, taken) = sync_channel(COMMANDS);
        let (given, reports) = sync_channel(REPORTS);
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        let newest = Newest::new(PLACES);
        let desk = thread::Desk { reports: given, waker, newest: newest.clone() };
        let run = move || thread::run(outfit, &taken, &desk);
        let thread = std::thread::Builder::new().name("address".to_owned()).spawn(run)?;
        Ok(Self { commands: Some(commands), reports, newest, wake, thread: Some(thread) })
    }

    /// Gives it a command without waiting. `Err`: it has not taken any for long, and gets nothing done. Taken or not, the epoch
    /// of the command overtakes earlier ones: what they ask for is not installed, renewed or announced any more.
    pub fn command(&self, command: AddressCommand) -> Result<(), Untaken> {
        self.newest.note(&command);
        let commands = self.commands.as_ref().ok_or(Untaken)?;
        commands.try_send(command).map_err(|_| Untaken)
    }

    /// The next report.
    pub fn report(&self) -> Option<AddressReport> {
        self.reports.try_recv().ok()
    }

    /// Empties the wake-up; call it before reading the reports, so that none is slept through.
    pub fn silence(&self) {
        while matches!((&self.wake).read(&mut [0; 64]), Ok(1..)) {}
    }
}

/// The address thread hangs in a request and its queue is full, or it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address thread takes no commands: the kernel does not answer it")]
pub struct Untaken;

impl AsFd for AddressThread {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Drop for AddressThread {
    fn drop(&mut self) {
        drop(self.commands.take());
        // A report that nobody reads must not keep the thread from ending.
        while self.reports.recv().is_ok() {}
        let ended = self.thread.take().map(JoinHandle::join);
        debug_assert!(!matches!(ended, Some(Err(_))), "the address thread panicked");
    }
}
