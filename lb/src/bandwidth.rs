//! What the connections of a frontend may move in a second: numbers that a reload may change.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use fmc_config::model::bandwidth::Bandwidth;
use fmc_config::model::frontend::Frontend;

use crate::relays::Bounds;

/// Zero: as much as goes.
#[derive(Debug)]
pub(crate) struct Bandwidths {
    group: u64,
    all: AtomicU64,
    each: AtomicU64,
}

impl Bandwidths {
    pub(crate) fn of(settings: &Frontend) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let group = NEXT.fetch_add(1, Ordering::Relaxed);
        let bandwidths = Self { group, all: AtomicU64::new(0), each: AtomicU64::new(0) };
        bandwidths.change(settings);
        bandwidths
    }

    /// From now on these hold, for the connections that are open too.
    pub(crate) fn change(&self, settings: &Frontend) {
        let number = |bandwidth: Option<Bandwidth>| bandwidth.map_or(0, |bandwidth| bandwidth.bytes().get());
        self.all.store(number(settings.bandwidth), Ordering::Relaxed);
        self.each.store(number(settings.bandwidth_per_connection), Ordering::Relaxed);
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let rate = |number: &AtomicU64| NonZeroU64::new(number.load(Ordering::Relaxed));
        Bounds { group: self.group, all: rate(&self.all), each: rate(&self.each) }
    }
}
