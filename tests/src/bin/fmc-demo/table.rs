//! Both results, side by side.

use std::time::Duration;

use crate::contender::{BLOWS, Results, Seen};

const HEAD: &str =
    "What a client saw that opened a new connection to the web address every 5 ms and gave up each after 2 s:";
const FOOT: &str =
    "On the right the lab's usual configuration: VRRPv2 at 1 s, priorities 110/100, track script of weight -10.";

/// What the client saw, as text.
pub(crate) fn render(ours: &Results, theirs: &Results) -> String {
    let row = |title: &str, ours: &str, theirs: &str| format!("{title:<28} {ours:<26} {theirs}");
    let mut lines = vec![String::new(), HEAD.to_owned(), String::new(), row("", &ours.name, &theirs.name)];
    for ((title, _), (ours, theirs)) in BLOWS.iter().zip(ours.seen.iter().zip(&theirs.seen)) {
        lines.push(row(title, &gap(ours), &gap(theirs)));
        lines.push(row("", &failed(ours), &failed(theirs)));
    }
    lines.extend([String::new(), FOOT.to_owned()]);
    lines.join("\n")
}

fn gap(seen: &Seen) -> String {
    match seen.gap {
        Some(gap) => format!("no service for {}", milliseconds(gap)),
        None => format!("no service any more ({} s)", seen.watched.as_secs()),
    }
}

fn failed(seen: &Seen) -> String {
    format!("{} of {} failed", seen.failed, seen.attempts)
}

fn milliseconds(span: Duration) -> String {
    format!("{:.0} ms", span.as_secs_f64() * 1000.0)
}
