//! Which command is the newest of each address, known to the address thread before it comes to it in the queue. [core]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{AddressCommand, Epoch, VipIndex};

/// The newest epoch of each address. Clones share it.
///
/// While the kernel keeps the thread waiting the election may change its mind. The thread must then not install, renew or
/// announce what another node serves by now, even when the removal found the queue full.
#[derive(Debug, Clone)]
pub(super) struct Newest(Arc<[AtomicU32]>);

impl Newest {
    pub(super) fn new(addresses: usize) -> Self {
        Self((0..addresses).map(|_| AtomicU32::new(0)).collect())
    }

    /// For the election, before the command is queued.
    pub(super) fn note(&self, command: &AddressCommand) {
        let (AddressCommand::Install(vip, epoch)
        | AddressCommand::Remove(vip, epoch)
        | AddressCommand::Leave(vip, epoch)) = command
        else {
            return;
        };
        self.0[*vip].store(*epoch, Ordering::Release);
    }

    /// Whether a command of another epoch is given by now.
    pub(super) fn overtakes(&self, vip: VipIndex, epoch: Epoch) -> bool {
        self.0[vip].load(Ordering::Acquire) != epoch
    }
}
