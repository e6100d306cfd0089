//! Frames on an interface, read by pnet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pnet::datalink::{self, Channel, Config};

use crate::lab::Namespace;

/// A frame, and when it arrived.
type Frame = (Instant, Vec<u8>);

/// Collects what arrives on an interface until it is dropped.
pub(crate) struct Sniffer {
    frames: Arc<Mutex<Vec<Frame>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sniffer {
    /// Listens when this returns.
    pub(crate) fn on(namespace: &Namespace, interface: &str) -> Self {
        let (frames, stop): (Arc<Mutex<Vec<Frame>>>, Arc<AtomicBool>) = Default::default();
        let mut received = namespace.enter(|| {
            let interface = datalink::interfaces().into_iter().find(|found| found.name == interface).unwrap();
            let config = Config { read_timeout: Some(Duration::from_millis(20)), ..Config::default() };
            let Ok(Channel::Ethernet(_, received)) = datalink::channel(&interface, config) else {
                panic!("no packet socket")
            };
            received
        });
        let (into, until) = (Arc::clone(&frames), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                if let Ok(frame) = received.next() {
                    into.lock().unwrap().push((Instant::now(), frame.to_vec()));
                }
            }
        });
        Self { frames, stop, thread: Some(thread) }
    }

    /// Every frame so far.
    pub(crate) fn frames(&self) -> Vec<Frame> {
        self.frames.lock().unwrap().clone()
    }
}

impl Drop for Sniffer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}
