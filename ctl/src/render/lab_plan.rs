//! The plan of a lab: `+ ~ -` lines in their colours.

use fmc_provision::plan::Plan;

use super::Paint;

pub(crate) fn text(plan: &Plan, paint: Paint) -> String {
    plan.to_string().lines().map(|text| line(text, paint) + "\n").collect()
}

fn line(text: &str, paint: Paint) -> String {
    match text.strip_prefix("       ").and_then(|rest| rest.chars().next()) {
        Some('+') => paint.good(text),
        Some('-') => paint.bad(text),
        Some('~' | '!') => paint.warn(text),
        Some(_) => text.to_owned(),
        None => paint.strong(text),
    }
}
