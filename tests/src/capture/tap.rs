//! A packet socket on a bridge: every frame, with the kernel's time of its arrival (packet(7), `SO_TIMESTAMPNS` of socket(7)).

use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::cmsg_space;
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, bind, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

/// `ETH_P_ALL` of packet(7).
const EVERY_FRAME: u16 = 3;
/// Holds the 30,000 short frames of the longest flood at the 1 KiB or so each costs here, should the reader not run at
/// all meanwhile. A frame beyond that is lost, and a test that needed it fails.
const BUFFER: usize = 32 * 1024 * 1024;
/// Longer than any frame of the lab's bridges.
const LONGEST_FRAME: usize = 65_536;
/// How soon a reader that has nothing to read looks up.
const PATIENCE: Duration = Duration::from_millis(100);

/// An open packet socket.
#[derive(Debug)]
pub(super) struct Tap {
    socket: Socket,
    bytes: Vec<u8>,
}

impl Tap {
    /// Opens one on `bridge` where the calling thread is.
    ///
    /// # Panics
    /// When there is no such bridge, or without root.
    pub(super) fn open(bridge: &str) -> Self {
        let protocol = Protocol::from(i32::from(EVERY_FRAME.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).expect("a packet socket needs root");
        setsockopt(&socket, RcvBufForce, &BUFFER).expect("a long receive queue needs root");
        setsockopt(&socket, ReceiveTimestampns, &true).expect("times of arrival");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        bind(socket.as_raw_fd(), &link(bridge)).unwrap_or_else(|error| panic!("capture on {bridge}: {error}"));
        Self { socket, bytes: vec![0; LONGEST_FRAME] }
    }

    /// The next frame and when the kernel received it, however late it is read; `None` after 100 ms without one.
    pub(super) fn next(&mut self) -> Option<(Instant, &[u8])> {
        let mut control = cmsg_space!(TimeSpec);
        let mut slices = [IoSliceMut::new(&mut self.bytes)];
        let flags = MsgFlags::empty();
        let received = recvmsg::<()>(self.socket.as_raw_fd(), &mut slices, Some(&mut control), flags).ok()?;
        let stamp = received.cmsgs().ok()?.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
            _ => None,
        });
        let (at, length) = (instant(stamp.expect("the kernel stamps every frame")), received.bytes);
        Some((at, &self.bytes[..length]))
    }
}

/// The kernel stamps in wall-clock time. Only the age is carried over, so that a clock that is set in a test's seconds is
/// the sole error.
fn instant(stamp: Duration) -> Instant {
    let age = SystemTime::now().duration_since(UNIX_EPOCH + stamp).unwrap_or_default();
    let now = Instant::now();
    now.checked_sub(age).unwrap_or(now)
}

fn link(bridge: &str) -> LinkAddr {
    let interfaces = nix::ifaddrs::getifaddrs().expect("the interfaces are listed");
    let mut links = interfaces.filter(|interface| interface.interface_name == bridge);
    let link = links.find_map(|interface| interface.address?.as_link_addr().copied());
    link.unwrap_or_else(|| panic!("the hypervisor has no {bridge}"))
}
