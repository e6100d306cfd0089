//! A role's end of the conversation with its supervisor.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};

use crate::channel::{Channel, Received};
use crate::message::{Begin, Order, Word};

/// What the supervisor says and hears.
pub(crate) type Lifeline = Channel<Word, Order>;

/// A supervisor that started us says what for within this.
const FIRST_WORDS: Duration = Duration::from_secs(5);

/// Takes stdin for the lifeline and waits for the first order. Errors: started by hand instead of by `run`.
pub(crate) fn take() -> Result<(Lifeline, Begin)> {
    ignore_signals().context("cannot block signals")?;
    let stdin = std::io::stdin().as_fd().try_clone_to_owned().context("no stdin")?;
    let lifeline = Lifeline::over(stdin);
    match wait_for(&lifeline)? {
        (Order::Begin(begin), _) => Ok((lifeline, begin)),
        (other, _) => bail!("the supervisor began with {other:?}"),
    }
}

/// The next order, waited for.
pub(crate) fn wait_for(lifeline: &Lifeline) -> Result<(Order, Option<OwnedFd>)> {
    let deadline = Instant::now() + FIRST_WORDS;
    loop {
        match lifeline.receive() {
            Received::Message(order, descriptor) => return Ok((order, descriptor)),
            Received::Closed => bail!("keeper and proxy are started by 'fmc-lb run', not by people"),
            Received::Empty if Instant::now() >= deadline => bail!("the supervisor says nothing"),
            Received::Empty => {
                let mut descriptors = [PollFd::new(lifeline.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut descriptors, PollTimeout::from(100_u8));
            }
        }
    }
}

/// A role ends when its supervisor says so or is gone; a Ctrl-C on the terminal reaches the whole group and is not for us.
fn ignore_signals() -> nix::Result<()> {
    let mut signals = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().for_each(|signal| signals.add(signal));
    signals.thread_block()
}
