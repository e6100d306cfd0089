//! Counters that are copied from somewhere else, which may begin again at zero.
//!
//! A server that is taken out of the configuration and comes back is counted anew, and so is what a keeper did that was started
//! anew. The recorder's own `absolute` would stand still until the new count has passed the old one. A ledger adds what is new.

use std::collections::HashMap;

use metrics::{Counter, Key, Label, Level, Metadata};

/// What each counter was last seen at.
#[derive(Debug, Default)]
pub struct Ledger {
    seen: HashMap<Key, (Handle, u64)>,
}

/// The recorder's counter; it has nothing to show.
struct Handle(Counter);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counter").finish_non_exhaustive()
    }
}

impl Ledger {
    /// The source of this counter stands at `value` now.
    pub fn count(&mut self, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
        let labels: Vec<Label> = labels.iter().map(|(key, value)| Label::new(*key, (*value).to_owned())).collect();
        let key = Key::from_parts(name, labels);
        let (counter, seen) = self.seen.entry(key).or_insert_with_key(|key| (Handle(registered(key)), 0));
        counter.0.increment(news(*seen, value));
        *seen = value;
    }
}

fn registered(key: &Key) -> Counter {
    let metadata = Metadata::new(module_path!(), Level::INFO, None);
    metrics::with_recorder(|recorder| recorder.register_counter(key, &metadata))
}

/// What has come since: everything, when the source has begun again.
fn news(seen: u64, value: u64) -> u64 {
    value.checked_sub(seen).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_begins_again_takes_nothing_away() {
        let mut seen = 0;
        let steps = [5, 9, 9, 2, 3].map(|value| news(std::mem::replace(&mut seen, value), value));
        assert_eq!(steps, [5, 4, 0, 2, 1]);
    }
}
