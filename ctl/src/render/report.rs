//! `report`: one move in full, or a line for each half of every move.

use fmc_api::failovers::{FailoverList, FailoverReport};
use fmc_api::word::Half;

use super::fact::connections;
use super::paint::Paint;
use super::table::{Cell, labelled, table};

const NONE: &str = "no VIP has come or gone since this history began\n";

pub(crate) fn list(all: &FailoverList, paint: Paint) -> String {
    if all.reports.is_empty() {
        return NONE.to_owned();
    }
    let header = ["AT", "NODE", "VIP", "", "DETECTED", "VIP UP", "CONNECTION", "BYTE", "RELAYS ENDED", "CAUSE"];
    table(header, all.reports.iter().map(row).collect(), paint)
}

fn row(report: &FailoverReport) -> [Cell; 10] {
    let span = |us: Option<u64>| Cell::right(us.map_or_else(|| "-".to_owned(), milliseconds));
    [
        Cell::left(report.at),
        Cell::left(&report.node),
        Cell::left(&report.vip),
        Cell::left(report.half),
        span(report.silent_us),
        span(report.address_up_us),
        span(report.first_connection_us),
        span(report.first_byte_us),
        Cell::right(relays(report).unwrap_or_else(|| "-".to_owned())),
        Cell::left(&report.cause),
    ]
}

/// All halves of one move, in the order in which things happened.
pub(crate) fn one(halves: &FailoverList, paint: Paint) -> String {
    if halves.reports.is_empty() {
        return NONE.to_owned();
    }
    halves.reports.iter().map(|report| half(report, paint)).collect::<Vec<_>>().join("\n")
}

fn half(report: &FailoverReport, paint: Paint) -> String {
    let verb = match report.half {
        Half::Came => "came to",
        Half::Left => "left",
    };
    let title = format!("{} {} {verb} {}", report.vip, report.address, report.node);
    let planned = if report.planned { ", as asked" } else { "" };
    let mut lines = vec![("cause", report.cause.clone())];
    lines.extend(report.silent_us.map(|us| ("detected", format!("after {} of silence", milliseconds(us)))));
    if report.half == Half::Came {
        lines.push(("VIP up", after(report.address_up_us, "it was never seen on the node")));
        lines.push(("first connection", after(report.first_connection_us, nobody(report))));
        lines.push(("first byte", after(report.first_byte_us, nobody(report))));
        lines.extend(dark(report).map(|us| ("nobody served for", format!("{} at most", milliseconds(us)))));
    }
    lines.extend(relays(report).map(|relays| ("relays ended", relays)));
    if !report.complete {
        lines.push(("", "still measured; ask again".to_owned()));
    }
    let lines: Vec<_> = lines.into_iter().map(|(label, text)| (label.to_owned(), text)).collect();
    format!("{} at {}{planned} (report {})\n", paint.strong(&title), report.at, report.number) + &labelled("  ", &lines)
}

fn nobody(report: &FailoverReport) -> &'static str {
    if report.complete { "nobody came while it was measured" } else { "nobody has come yet" }
}

/// From the former owner's last word until a client had a byte.
fn dark(report: &FailoverReport) -> Option<u64> {
    Some(report.silent_us? + report.first_byte_us?)
}

fn after(us: Option<u64>, otherwise: &str) -> String {
    us.map_or_else(|| otherwise.to_owned(), |us| format!("{} after the claim", milliseconds(us)))
}

fn relays(report: &FailoverReport) -> Option<String> {
    let open = connections(report.relays_open?);
    Some(match report.relays_ended {
        Some(ended) => format!("{ended} of {open}"),
        None => format!("not counted, of {open}"),
    })
}

fn milliseconds(us: u64) -> String {
    format!("{}.{} ms", us / 1000, us % 1000 / 100)
}
