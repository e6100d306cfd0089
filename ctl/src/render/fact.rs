//! Small facts in words, the same in every view.

use fmc_api::Moment;
use fmc_api::status::{Fitness, Owner};
use fmc_api::word::{Severity, Tier};

use super::paint::{Paint, Tone};
use crate::span::Span;

/// `1 connection`, `2 connections`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

pub(crate) fn connections(number: u64) -> String {
    count(number, "connection", "connections")
}

/// How long it has been so.
pub(crate) fn span(since: Moment, now: Moment) -> Span {
    Span(since.until(now))
}

/// `512 B`, `1.2 kB`, `3.4 GB`: decimal, as network rates are counted.
pub(crate) fn bytes(number: u64) -> String {
    let mut tenths = u128::from(number) * 10;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if tenths < 10_000 {
            return if unit == "B" { format!("{number} B") } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) };
        }
        tenths /= 1000;
    }
    format!("{} PB", tenths / 10)
}

/// `fit`, or the tier with its cause.
pub(crate) fn fitness(fitness: &Fitness, paint: Paint) -> String {
    let tier = paint.tone(tier_tone(fitness.tier), fitness.tier.as_str());
    match &fitness.cause {
        Some(cause) => format!("{tier}: {cause}"),
        None => tier,
    }
}

pub(crate) fn tier_tone(tier: Tier) -> Tone {
    match tier {
        Tier::Fit => Tone::Good,
        Tier::Degraded => Tone::Warn,
        Tier::Unfit => Tone::Bad,
    }
}

pub(crate) fn severity_tone(severity: Severity) -> Tone {
    match severity {
        Severity::Info => Tone::Plain,
        Severity::Warning => Tone::Warn,
        Severity::Error => Tone::Bad,
    }
}

/// Who serves a VIP.
pub(crate) fn owner(owner: &Owner, paint: Paint) -> String {
    match owner {
        Owner::Node(node) => paint.strong(node.as_str()),
        Owner::Foreign(address) => paint.warn(&format!("{address} (not one of [nodes])")),
        Owner::Nobody => paint.bad("nobody"),
        Owner::Unknown => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_with_three_figures_or_so() {
        for (number, text) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (u64::MAX, "18446 PB")]
        {
            assert_eq!(bytes(number), text);
        }
    }
}
