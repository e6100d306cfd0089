//! Values of one field: a number in its range, a span of time, a word, a file name.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::table::Value;
use crate::diagnostic::Code;
use crate::findings::{Findings, Located};
use crate::model::bandwidth::{Bandwidth, BandwidthError};
use crate::span_of_time::{self, SpanError};
use crate::suggest;
use crate::words::Words;

/// A whole number in `range`.
pub(crate) fn number<T>(value: &Value<'_>, range: RangeInclusive<T>, findings: &mut Findings) -> Option<Located<T>>
where
    T: Copy + Into<i128> + TryFrom<i128>,
{
    let typed = value.integer(findings)?;
    let (least, most): (i128, i128) = ((*range.start()).into(), (*range.end()).into());
    if !(least..=most).contains(&typed) {
        let fix = format!("write a number from {least} to {most}");
        let problem = format!("{} is out of range", value.scalar_text().unwrap_or_default());
        findings.add(Code::NumberOutOfRange, &value.place, problem, fix);
        return None;
    }
    Some(Located { value: T::try_from(typed).ok()?, place: value.place.clone() })
}

/// One of `words`.
pub(crate) fn word<T: Copy>(value: &Value<'_>, words: Words<T>, findings: &mut Findings) -> Option<Located<T>> {
    let typed = value.string(findings)?;
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == typed) {
        return Some(Located { value: *meaning, place: value.place.clone() });
    }
    let known = words.iter().map(|(word, _)| *word);
    let problem = format!("{typed:?} is not a word that this key takes");
    findings.add(Code::UnknownWord, &value.place, problem, suggest::fix(typed, known));
    None
}

/// `true` or `false`.
pub(crate) fn truth(value: &Value<'_>, findings: &mut Findings) -> Option<Located<bool>> {
    Some(Located { value: value.truth(findings)?, place: value.place.clone() })
}

/// A text as it stands.
pub(crate) fn text(value: &Value<'_>, findings: &mut Findings) -> Option<Located<String>> {
    let typed = value.string(findings)?;
    Some(Located { value: typed.to_owned(), place: value.place.clone() })
}

/// The name of a file, from the root.
pub(crate) fn path(value: &Value<'_>, findings: &mut Findings) -> Option<Located<PathBuf>> {
    let typed = text(value, findings)?;
    if !typed.value.starts_with('/') {
        let problem = format!("{:?} depends on the directory that the service was started in", typed.value);
        let fix = format!("write the whole path, for example \"/etc/fmc-lb/{}\"", typed.value.trim_start_matches("./"));
        findings.add(Code::PathNotAbsolute, &value.place, problem, fix);
        return None;
    }
    Some(typed.map(PathBuf::from))
}

/// Bytes in a second.
pub(crate) fn bandwidth(value: &Value<'_>, findings: &mut Findings) -> Option<Located<Bandwidth>> {
    if value.is_integer() {
        let number = value.scalar_text().unwrap_or_default();
        let fix = format!("say which unit: \"{number}MiB/s\" or \"{number}Mbit/s\"");
        findings.add(Code::BadBandwidth, &value.place, format!("{number} has no unit"), fix);
        return None;
    }
    let typed = value.string(findings)?;
    let (problem, fix) = match typed.parse() {
        Ok(bandwidth) => return Some(Located { value: bandwidth, place: value.place.clone() }),
        Err(BandwidthError::Malformed) => (
            "is not a whole number of bytes or bits in a second",
            "write a number with one of the units KiB/s, MiB/s, GiB/s, kB/s, MB/s, GB/s, kbit/s, Mbit/s, Gbit/s, for example \"10MiB/s\"",
        ),
        Err(BandwidthError::OutOfRange) => {
            ("is out of range", "write a bandwidth from \"1KiB/s\" to \"100GiB/s\", or remove the key for none")
        }
    };
    findings.add(Code::BadBandwidth, &value.place, format!("{typed:?} {problem}"), fix);
    None
}

/// A span of time in `range`.
pub(crate) fn span(
    value: &Value<'_>,
    range: RangeInclusive<Duration>,
    findings: &mut Findings,
) -> Option<Located<Duration>> {
    let typed = span_text(value, findings)?;
    let span = match span_of_time::parse(&typed) {
        Ok(span) => span,
        Err(error) => {
            bad_span(value, &typed, error, findings);
            return None;
        }
    };
    in_range(value, &typed, span, range, findings)
}

/// The same, or the word `never`, which is `Some(None)`.
pub(crate) fn span_or_never(
    value: &Value<'_>,
    range: RangeInclusive<Duration>,
    findings: &mut Findings,
) -> Option<Option<Duration>> {
    if value.scalar_text().as_deref() == Some("never") {
        return Some(None);
    }
    Some(Some(span(value, range, findings)?.value))
}

/// `span`, typed as part of `typed`, if it lies in `range`.
pub(crate) fn in_range(
    value: &Value<'_>,
    typed: &str,
    span: Duration,
    range: RangeInclusive<Duration>,
    findings: &mut Findings,
) -> Option<Located<Duration>> {
    if !range.contains(&span) {
        let (least, most) = (span_of_time::format(*range.start()), span_of_time::format(*range.end()));
        let problem = format!("{typed:?} is out of range");
        findings.add(
            Code::DurationOutOfRange,
            &value.place,
            problem,
            format!("write a time from {least:?} to {most:?}"),
        );
        return None;
    }
    Some(Located { value: span, place: value.place.clone() })
}

/// Reports that `typed` is no span of time.
pub(crate) fn bad_span(value: &Value<'_>, typed: &str, error: SpanError, findings: &mut Findings) {
    let fix = "write a number with one of the units ms, s, m, h, for example \"150ms\", \"2s\" or \"10m\"";
    findings.add(Code::BadDuration, &value.place, format!("{typed:?} {error}"), fix);
}

fn span_text(value: &Value<'_>, findings: &mut Findings) -> Option<String> {
    if value.is_integer() {
        let number = value.scalar_text().unwrap_or_default();
        let fix = format!("say which unit: \"{number}s\" or \"{number}ms\"");
        findings.add(Code::BadDuration, &value.place, format!("{number} has no unit"), fix);
        return None;
    }
    Some(value.string(findings)?.to_owned())
}
