//! Every rule of the inventory has a file that breaks it, with the message an operator sees beside it.
//!
//! `tests/wrong/<rule>.toml` breaks that rule and no other; `<rule>.txt` is what is printed. `BLESS=1` writes the messages anew;
//! read the difference before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use fmc_config::diagnostic::{Code, Diagnostics, Rule, Severity};
use fmc_provision::rule::Broken;

/// The rules of any TOML file that an inventory can break.
const OF_ANY_FILE: [Code; 7] = [
    Code::TomlSyntax,
    Code::DuplicateKey,
    Code::UnknownKey,
    Code::MissingKey,
    Code::WrongType,
    Code::UnknownWord,
    Code::NumberOutOfRange,
];

#[test]
fn every_rule_has_a_file_that_breaks_it_and_no_other_rule() {
    for rule in rules() {
        let (found, _) = shown(rule.as_str());
        assert!(!found.is_empty(), "{}.toml breaks no rule", rule.as_str());
        for diagnostic in found.iter() {
            assert_eq!(diagnostic.code, rule, "{}.toml: {diagnostic:?}", rule.as_str());
        }
    }
}

#[test]
fn every_message_is_the_one_that_was_agreed_on() {
    for name in rules().iter().map(|rule| rule.as_str()).chain(["many"]) {
        let (found, refused) = shown(name);
        let outcome = if refused { "refused" } else { "taken" };
        compare(&wrong(name, "txt"), &format!("{}\n\n{}\n({outcome})\n", found.render(false), found.lines()));
    }
}

#[test]
fn a_file_with_many_faults_shows_them_all_in_one_run() {
    let (found, refused) = shown("many");
    let fields: Vec<_> = found.iter().map(|diagnostic| (diagnostic.code.as_str(), diagnostic.field.as_str())).collect();
    assert!(refused);
    for expected in [
        ("bad-size", "host.memory"),
        ("unknown-key", "host.cpu"),
        ("missing-key", "host"),
        ("unknown-word", "networks.lan.kind"),
        ("bad-prefix", "networks.kube.prefix"),
        ("bad-host-name", "machines.DB"),
        ("bad-address", "machines.DB.address"),
    ] {
        assert!(fields.contains(&expected), "{expected:?} is missing from {fields:#?}");
    }
}

#[test]
fn only_errors_refuse_a_file() {
    for rule in rules() {
        let (_, refused) = shown(rule.as_str());
        assert_eq!(refused, rule.severity == Severity::Error, "{}", rule.as_str());
    }
}

#[test]
fn no_wrong_file_is_without_its_rule() {
    for entry in fs::read_dir(directory()).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(name == "many" || rules().iter().any(|rule| rule.as_str() == name), "{name} is no rule");
    }
}

#[test]
fn every_finding_names_a_place_a_fault_and_an_edit_on_one_line() {
    for rule in rules() {
        let (found, _) = shown(rule.as_str());
        for diagnostic in found.iter() {
            let (problem, fix) = (&diagnostic.problem, &diagnostic.fix);
            assert!(!problem.is_empty() && !fix.is_empty(), "{diagnostic:?}");
            assert!(!problem.contains('\n') && !fix.contains('\n') && !problem.ends_with('.'), "{diagnostic:?}");
            assert!(diagnostic.span != (0..0), "{} shows no place: {diagnostic:?}", rule.as_str());
        }
    }
}

#[test]
fn a_secret_in_the_file_is_not_repeated_in_the_message() {
    let (found, _) = shown("secret-inline");
    let lines = found.lines();
    assert!(!lines.contains("3f9e"), "{lines}");
}

fn rules() -> Vec<Rule> {
    Broken::ALL.iter().map(|rule| Rule::from(*rule)).chain(OF_ANY_FILE.map(Rule::from)).collect()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong")
}

fn wrong(name: &str, extension: &str) -> PathBuf {
    directory().join(name).with_extension(extension)
}

/// What is found in a wrong file, and whether it is refused.
fn shown(name: &str) -> (Diagnostics, bool) {
    let path = wrong(name, "toml");
    let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match fmc_provision::read(&source, &format!("{name}.toml")) {
        Ok((_, warnings)) => (warnings, false),
        Err(found) => (found, true),
    }
}

fn compare(golden: &Path, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(golden, text).expect("the golden message can be written");
    }
    let agreed = fs::read_to_string(golden).unwrap_or_default();
    assert!(agreed == text, "{} differs (BLESS=1 takes the new text):\n{text}", golden.display());
}
