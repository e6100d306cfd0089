//! Sleeps until a descriptor is readable or a deadline on CLOCK_BOOTTIME has come.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use arrayvec::ArrayVec;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::boot_instant::BootInstant;

/// Descriptors of one sleep: a socket for each interface, and four more.
pub(super) const MAX_DESCRIPTORS: usize = super::MAX_INTERFACES + 4;

/// A timer that counts suspended time too (timerfd_create(2)).
#[derive(Debug)]
pub(super) struct Wake {
    timer: TimerFd,
}

impl Wake {
    pub(super) fn new() -> nix::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        Ok(Self { timer: TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)? })
    }

    /// Sleeps until `at`, or until one of the descriptors has something. Does not allocate.
    pub(super) fn sleep(&self, at: BootInstant, on: &[BorrowedFd<'_>]) -> nix::Result<()> {
        // Zero would disarm the timer.
        let at = Duration::from_nanos(at.as_nanos().max(1));
        self.timer.set(Expiration::OneShot(TimeSpec::from_duration(at)), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
        let all = on.iter().copied().chain([self.timer.as_fd()]);
        let mut polled: ArrayVec<PollFd<'_>, { MAX_DESCRIPTORS + 1 }> =
            all.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)).collect();
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}
