//! The thread of the relay loop.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fmc_lb::{DataPlane, EndedBy, Handle};
use nix::unistd::{Pid, gettid};
use tokio::runtime::Builder;

use crate::exit;

/// Relays get this long to end once the service is told to.
const RELAYS_MAY_END: Duration = Duration::from_secs(2);

/// A running data plane.
#[derive(Debug)]
pub(crate) struct Relay {
    thread: JoinHandle<()>,
    id: Pid,
}

impl Relay {
    /// Runs the data plane on a thread of its own; one that panics takes the process with it.
    pub(crate) fn start(data_plane: DataPlane, ended: SyncSender<u8>) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().context("no runtime for the relay loop")?;
        let (tell, told) = sync_channel(1);
        let run = move || {
            let _ = tell.send(gettid());
            let serve = std::panic::AssertUnwindSafe(|| runtime.block_on(data_plane.run()));
            if std::panic::catch_unwind(serve).is_err() {
                tracing::error!("the relay loop panicked: ending the process, the supervisor starts another");
                let _ = ended.try_send(exit::FAILED);
            }
        };
        let thread = std::thread::Builder::new().name("relay".to_owned()).spawn(run);
        let thread = thread.context("no thread for the relay loop")?;
        Ok(Self { thread, id: told.recv().context("the relay thread died at birth")? })
    }

    /// The kernel's number for it (gettid(2)).
    pub(crate) fn thread_id(&self) -> Pid {
        self.id
    }

    /// Ends the relays, which by now belong to another node, and waits for the loop.
    pub(crate) fn finish(self, handle: &Handle) {
        handle.shut_down(EndedBy::VipMoved);
        let deadline = Instant::now() + RELAYS_MAY_END;
        while !self.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
