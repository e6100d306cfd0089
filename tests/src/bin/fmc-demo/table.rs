//! Both results, side by side.

use std::time::Duration;

use crate::contender::{BLOWS, Results, Seen};

/// Prints what the client saw.
pub(crate) fn print(ours: &Results, theirs: &Results) {
    println!();
    println!(
        "What a client saw that opened a new connection to the web address every 5 ms and gave up each after 2 s:"
    );
    println!();
    println!("{:<28} {:<26} {}", "", ours.name, theirs.name);
    for ((title, _), (ours, theirs)) in BLOWS.iter().zip(ours.seen.iter().zip(&theirs.seen)) {
        println!("{title:<28} {:<26} {}", gap(ours), gap(theirs));
        println!("{:<28} {:<26} {}", "", failed(ours), failed(theirs));
    }
    println!();
    println!(
        "The right column is the lab's usual configuration: VRRPv2 at 1 s, priorities 110/100, track script weight -10."
    );
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
