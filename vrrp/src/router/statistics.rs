//! Counters of one virtual router, after RFC 8347 §2. [core]

use serde::{Deserialize, Serialize};

use crate::priority::Priority;

/// Counters since the virtual router was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Times it became Active.
    pub became_active: u64,
    /// Accepted advertisements.
    pub advertisements_received: u64,
    /// Of these, resignations.
    pub priority_zero_received: u64,
    /// Advertisements handed to the driver.
    pub advertisements_sent: u64,
    /// Of these, resignations.
    pub priority_zero_sent: u64,
    /// Claims that a heartbeat held back.
    pub claims_held_back: u64,
    /// Log entries dropped because the driver did not drain.
    pub lost_reports: u64,
}

impl Statistics {
    pub(super) fn received(&mut self, priority: Priority) {
        self.advertisements_received += 1;
        self.priority_zero_received += u64::from(priority == Priority::RESIGN);
    }

    pub(super) fn sent(&mut self, priority: Priority) {
        self.advertisements_sent += 1;
        self.priority_zero_sent += u64::from(priority == Priority::RESIGN);
    }
}
