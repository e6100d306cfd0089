//! What makes a role die at each start: a fault that a restart does not mend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::balancer::{Balancer, Role};
use crate::process::{children, signal_pid};

/// Kills the proxy of a node at each of its starts, until dropped.
#[derive(Debug)]
pub struct Poison {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Poison {
    /// From now on.
    pub fn give(balancer: &Balancer<'_>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, supervisor) = (Arc::clone(&stop), balancer.pid(Role::Supervisor));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let proxies = children(supervisor).into_iter();
                for (pid, _) in proxies.filter(|(_, line)| line.get(1).is_some_and(|role| role == "proxy")) {
                    signal_pid(pid, Signal::SIGKILL);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Poison {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}
