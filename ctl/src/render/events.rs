//! `events`: a line for each.

use fmc_api::events::{Event, EventList};
use fmc_api::word::Severity;

use super::fact::severity_tone;
use super::paint::Paint;

pub(crate) fn write(list: &EventList, paint: Paint) -> String {
    if list.events.is_empty() {
        return "nothing has happened\n".to_owned();
    }
    let missed = match list.missed {
        0 => String::new(),
        missed => format!("{missed} earlier events are no longer kept; see: journalctl -u fmc-lb\n"),
    };
    list.events.iter().fold(missed, |text, event| text + &row(event, paint) + "\n")
}

/// `2026-11-21T03:12:04.120Z  info     loadbalancer2  vip api: taken: loadbalancer1 stopped advertising`.
pub(crate) fn row(event: &Event, paint: Paint) -> String {
    let Event { sequence: _, at, node, severity, kind: _, subject, text } = event;
    let subject = subject.as_ref().map(|subject| format!("{subject}: ")).unwrap_or_default();
    let word = match severity {
        Severity::Info => format!("{severity:7}"),
        Severity::Warning | Severity::Error => paint.tone(severity_tone(*severity), &format!("{severity:7}")),
    };
    format!("{at}  {word}  {node}  {subject}{text}")
}
