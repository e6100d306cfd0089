//! Names: whether they may be, and what they refer to.

use std::str::FromStr;

use crate::diagnostic::Code;
use crate::findings::{Findings, Located};
use crate::model::name::NameError;
use crate::suggest;

/// A name as the model has it.
pub(super) fn lower<N: FromStr<Err = NameError>>(typed: &Located<String>, findings: &mut Findings) -> Option<N> {
    match typed.value.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            let fix = "rename it, here and wherever it is referred to";
            findings.add(Code::BadName, &typed.place, error.to_string(), fix);
            None
        }
    }
}

/// The first of `all` that `typed` names; that there is none is reported as `code`, `kind` being the table it should be in.
pub(super) fn resolve<'a, T>(
    typed: &Located<String>,
    all: &'a [T],
    name_of: impl Fn(&T) -> &Located<String>,
    (code, kind): (Code, &str),
    findings: &mut Findings,
) -> Option<&'a T> {
    let found = all.iter().find(|candidate| name_of(candidate).value == typed.value);
    if found.is_none() {
        let fix = match suggest::nearest(&typed.value, all.iter().map(|candidate| name_of(candidate).value.as_str())) {
            Some(name) => format!("did you mean {name:?}?"),
            None => missing_fix(&typed.value, kind, all.iter().map(|candidate| name_of(candidate).value.as_str())),
        };
        findings.add(code, &typed.place, format!("there is no {:?} in [{kind}]", typed.value), fix);
    }
    found
}

fn missing_fix<'a>(typed: &str, kind: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    let declare = if kind == "nodes" { format!("add it to [{kind}]") } else { format!("add a table [{kind}.{typed}]") };
    if names.is_empty() { declare } else { format!("use {}, or {declare}", suggest::choice(names)) }
}
