//! Numbers and times in the ranges of ours.

use std::time::Duration;

use crate::ledger::{Ledger, Said};

/// The value as said, or the nearest that `key` takes.
pub(super) fn within<N: Ord + Copy + std::fmt::Display>(
    said: &Said<N>,
    least: N,
    most: N,
    key: &str,
    ledger: &mut Ledger,
) -> N {
    let value = said.value.clamp(least, most);
    if value == said.value {
        ledger.kept(said.at, key);
    } else {
        ledger.changed(said.at, format!("{key} = {value}: it takes {least} to {most}"));
    }
    value
}

/// The same of a time.
pub(super) fn time_within(
    said: &Said<Duration>,
    (least, most): (Duration, Duration),
    key: &str,
    ledger: &mut Ledger,
) -> String {
    let value = said.value.clamp(least, most);
    if value == said.value {
        ledger.kept(said.at, key);
    } else {
        ledger.changed(said.at, format!("{key} = \"{}\": it takes {} to {}", text(value), text(least), text(most)));
    }
    text(value)
}

const UNITS: [(&str, u128); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// As an operator writes it.
pub(super) fn text(span: Duration) -> String {
    let milliseconds = span.as_millis();
    let unit = UNITS.iter().find(|(_, unit)| milliseconds != 0 && milliseconds.is_multiple_of(*unit));
    let (name, unit) = unit.copied().unwrap_or(("ms", 1));
    format!("{}{name}", milliseconds / unit)
}
