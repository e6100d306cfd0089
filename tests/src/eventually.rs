//! Waiting for something to become true, with a deadline and a name.

use std::time::{Duration, Instant};

/// How often a condition is asked again: short against every figure asserted, long enough to leave the two cores alone.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `condition` holds and returns how long that took.
///
/// # Panics
/// With `what` and the time waited, when it does not hold within `limit`.
pub fn eventually(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    eventually_some(what, limit, || condition().then(Instant::now)).1
}

/// Waits until `value` is there and returns it with the time it took.
///
/// # Panics
/// With `what` and the time waited, when it does not come within `limit`.
pub fn eventually_some<T>(what: &str, limit: Duration, mut value: impl FnMut() -> Option<T>) -> (T, Duration) {
    let started = Instant::now();
    loop {
        if let Some(found) = value() {
            return (found, started.elapsed());
        }
        assert!(started.elapsed() < limit, "not so within {limit:?}: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Watches for `span` that `condition` holds all the time.
///
/// # Panics
/// With `what` and the moment, as soon as it does not hold.
pub fn throughout(what: &str, span: Duration, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while started.elapsed() < span {
        assert!(condition(), "no longer so after {:?}: {what}", started.elapsed());
        std::thread::sleep(PAUSE);
    }
}
