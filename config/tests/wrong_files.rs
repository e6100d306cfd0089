//! Every rule has a file that breaks it, with the message an operator sees beside it.
//!
//! `tests/wrong/<code>.toml` breaks the rule `<code>` and no other; `<code>.txt` is what is printed. `BLESS=1` writes the
//! messages anew; read the difference before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use fmc_config::diagnostic::{Code, Diagnostics, Severity};
use fmc_config::model::Config;

#[test]
fn every_rule_has_a_file_that_breaks_it_and_no_other_rule() {
    for code in Code::ALL {
        let (found, _) = shown(code.as_str());
        assert!(!found.is_empty(), "{}.toml breaks no rule", code.as_str());
        for diagnostic in found.iter() {
            assert_eq!(diagnostic.code, *code, "{}.toml: {diagnostic:?}", code.as_str());
        }
    }
}

#[test]
fn every_message_is_the_one_that_was_agreed_on() {
    for name in Code::ALL.iter().map(|code| code.as_str()).chain(["many"]) {
        let (found, refused) = shown(name);
        let outcome = if refused { "refused" } else { "taken" };
        let text = format!("{}\n\n{}\n({outcome})\n", found.render(false), found.lines());
        compare(&wrong(name, "txt"), &text);
    }
}

#[test]
fn a_file_with_many_faults_shows_them_all_in_one_run() {
    let (found, refused) = shown("many");
    let fields: Vec<_> = found.iter().map(|diagnostic| (diagnostic.code.as_str(), diagnostic.field.as_str())).collect();
    assert!(refused);
    for expected in [
        ("vip-is-node", "vips.api.address"),
        ("unknown-key", "vips.api.vrid"),
        ("unknown-vip", "frontends.k8s-api.vip"),
        ("wrong-type", "frontends.k8s-api.port"),
        ("unknown-word", "frontends.k8s-api.profile"),
        ("bad-duration", "frontends.k8s-api.idle_timeout"),
        ("prefix-host-bits", "frontends.web.allow[0]"),
        ("bad-address", "backends.masters.servers.master2"),
        ("fast-interval-over-interval", "backends.masters.check.fast_interval"),
        ("path-not-absolute", "backends.masters.check.token_file"),
        ("backend-without-servers", "backends.workers.servers"),
    ] {
        assert!(fields.contains(&expected), "{expected:?} is missing from {fields:#?}");
    }
}

#[test]
fn only_errors_refuse_a_file() {
    for code in Code::ALL {
        let (_, refused) = shown(code.as_str());
        assert_eq!(refused, code.severity() == Severity::Error, "{}", code.as_str());
    }
}

#[test]
fn no_wrong_file_is_without_its_rule() {
    for entry in fs::read_dir(directory()).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(name == "many" || Code::ALL.iter().any(|code| code.as_str() == name), "{name} is no rule");
    }
}

#[test]
fn every_finding_names_a_field_a_fault_and_an_edit_on_one_line() {
    for code in Code::ALL {
        let (found, _) = shown(code.as_str());
        for (diagnostic, line) in found.iter().zip(found.lines().lines()) {
            assert!(line.starts_with(&format!("{}.toml:", code.as_str())), "{line}");
            assert!(line.contains(&diagnostic.field) && line.contains("; "), "{line}");
            let (problem, fix) = (&diagnostic.problem, &diagnostic.fix);
            assert!(!problem.is_empty() && !fix.is_empty() && !problem.contains('\n') && !fix.contains('\n'), "{line}");
            assert!(!problem.ends_with('.') && !fix.ends_with('.'), "{line}");
        }
    }
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
    match Config::parse_with_warnings(&source, &format!("{name}.toml")) {
        Ok((_, warnings)) => (warnings, false),
        Err(found) => (found, true),
    }
}

fn compare(golden: &Path, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(golden, text).expect("the golden message can be written");
    }
    let agreed = fs::read_to_string(golden).unwrap_or_default();
    assert!(
        agreed == text,
        "{} differs (BLESS=1 takes the new text):\n{}",
        golden.display(),
        difference(&agreed, text)
    );
}

fn difference(agreed: &str, text: &str) -> String {
    let (agreed, text): (Vec<_>, Vec<_>) = (agreed.lines().collect(), text.lines().collect());
    let gone = agreed.iter().filter(|line| !text.contains(line)).map(|line| format!("- {line}\n"));
    let new = text.iter().filter(|line| !agreed.contains(line)).map(|line| format!("+ {line}\n"));
    gone.chain(new).collect()
}
