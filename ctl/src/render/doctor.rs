//! `doctor`: a line for each finding, and below it what to do.

use super::paint::{Paint, Tone};
use crate::doctor::{Examination, Finding, Language, Verdict};

pub(crate) fn write(examined: &Examination, paint: Paint) -> String {
    let width = examined.findings.iter().map(|finding| finding.about.len()).max().unwrap_or(0);
    let lines: String = examined.findings.iter().map(|finding| line(finding, width, paint)).collect();
    lines + &conclusion(examined, paint)
}

fn line(finding: &Finding, width: usize, paint: Paint) -> String {
    let Finding { about, verdict, what, fix } = finding;
    let (mark, tone) = match verdict {
        Verdict::Good => ("ok  ", Tone::Good),
        Verdict::Note => ("note", Tone::Warn),
        Verdict::Wrong => ("BAD ", Tone::Bad),
    };
    let fix = fix.as_ref().map(|fix| format!("{:1$}-> {fix}\n", "", width + 8)).unwrap_or_default();
    format!("{}  {about:width$}  {what}\n{fix}", paint.tone(tone, mark))
}

fn conclusion(examined: &Examination, paint: Paint) -> String {
    let wrong = examined.findings.iter().filter(|finding| finding.verdict == Verdict::Wrong).count();
    let said = match (examined.language, wrong) {
        (Language::En, 0) => "nothing is wrong".to_owned(),
        (Language::En, 1) => "1 thing is wrong".to_owned(),
        (Language::En, many) => format!("{many} things are wrong"),
        (Language::Es, 0) => "nada está mal".to_owned(),
        (Language::Es, 1) => "hay 1 problema".to_owned(),
        (Language::Es, many) => format!("hay {many} problemas"),
    };
    paint.tone(if wrong == 0 { Tone::Good } else { Tone::Bad }, &said) + "\n"
}
