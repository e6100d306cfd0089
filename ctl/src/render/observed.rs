//! `report observed`: sums, and a line for each thing that was seen.

use std::time::Duration;

use fmc_api::observed::{Observed, ObservedNote, ObservedServer, ObservedVip};
use fmc_api::word::Comparison;

use super::fact::{count, span};
use super::paint::{Paint, Tone};
use super::table::labelled;
use crate::span::Span;

pub(crate) fn write(seen: &Observed, paint: Paint) -> String {
    let head = format!(
        "{} has observed for {}; it served nobody and owned nothing\n\n",
        seen.node,
        span(seen.since, seen.now)
    );
    let vips = seen.vips.iter().map(|vip| (format!("{} {}", vip.name, vip.address), self::vip(vip)));
    let servers =
        seen.servers.iter().map(|server| (format!("{}/{}", server.backend, server.name), self::server(server)));
    let sums: Vec<_> = vips.chain(servers).collect();
    let notes: String = seen.notes.iter().map(|note| row(note, paint)).collect();
    let notes = if notes.is_empty() { "nothing was seen yet\n".to_owned() } else { notes };
    format!("{head}{}\n{notes}", labelled("  ", &sums))
}

fn vip(vip: &ObservedVip) -> String {
    let mut parts = vec![format!("{}, {} in all", count(vip.moves, "move", "moves"), ms(vip.took_ms))];
    if vip.moves > 0 {
        parts.push(format!("by this configuration {}", ms(vip.would_have_taken_ms)));
    }
    if vip.silences > 0 {
        parts.push(format!("its owner was silent {} and went on", count(vip.silences, "time", "times")));
    }
    if vip.contests > 0 {
        parts.push(format!("two owners {}", count(vip.contests, "time", "times")));
    }
    if vip.kept_while_unfit_ms > 0 {
        parts.push(format!("kept for {} by a node that could not serve it", ms(vip.kept_while_unfit_ms)));
    }
    parts.join("; ")
}

fn server(server: &ObservedServer) -> String {
    format!("out {}, {} in all", count(server.times_out, "time", "times"), ms(server.out_ms))
}

fn row(note: &ObservedNote, paint: Paint) -> String {
    let (word, tone) = match note.comparison {
        Comparison::Better => ("better", Tone::Good),
        Comparison::Same => ("same", Tone::Plain),
        Comparison::Worse => ("worse", Tone::Bad),
        Comparison::Unclear => ("unclear", Tone::Warn),
    };
    format!("{}  {}  {}: {}\n", note.at, paint.tone(tone, &format!("{word:<7}")), note.subject, note.text)
}

fn ms(milliseconds: u64) -> Span {
    Span(Duration::from_millis(milliseconds))
}
