//! Every rule of VRRP has a test that names it, and the page says which.

use std::collections::BTreeMap;
use std::fs;

use fmc_tests::conformance::{Conformance, Number, Side, Verdict};
use fmc_tests::sources::root;
use serde::Deserialize;

const PAGE: &str = "docs/reference/vrrp-conformance.md";

#[test]
fn every_rule_has_a_test() {
    let conformance = Conformance::read();
    let bare: Vec<String> = conformance
        .rules
        .keys()
        .filter(|rule| conformance.proofs_of(**rule).is_empty())
        .map(ToString::to_string)
        .collect();
    assert!(bare.is_empty(), "no test says `/// Proves` or `/// Shows` of {bare:?}");
}

#[test]
fn a_rule_with_two_sides_has_a_test_of_each() {
    let conformance = Conformance::read();
    for (number, rule) in conformance.rules.iter().filter(|(_, rule)| rule.both) {
        let sides: Vec<Side> = conformance.proofs_of(*number).iter().map(|proof| proof.side).collect();
        let has_both = sides.contains(&Side::Taken) && sides.contains(&Side::Refused);
        assert!(has_both, "{number} ({}) needs `{number}+` and `{number}-`, has {sides:?}", rule.rule);
    }
}

#[test]
fn a_test_names_rules_that_exist() {
    let conformance = Conformance::read();
    for (number, proofs) in &conformance.proofs {
        assert!(conformance.rules.contains_key(number), "{number} is no rule, but {proofs:?} prove it");
    }
}

#[test]
fn what_is_not_kept_as_it_stands_has_a_reason() {
    for (number, rule) in &Conformance::read().rules {
        let is_kept = rule.verdict == Verdict::Kept;
        assert_eq!(rule.reason.is_none(), is_kept, "{number}: a reason belongs to what differs or is refused");
    }
}

/// An edit of `tests/mutations/run`.
#[derive(Debug, Deserialize)]
struct Mutation {
    rule: Number,
    file: String,
    from: String,
    test: String,
}

#[test]
fn each_mutation_has_one_place_in_the_code_and_a_test_that_names_its_rule() {
    let list = fs::read_to_string(root().join("tests/mutations/rules.toml")).expect("the list of mutations");
    let mutations: BTreeMap<String, Vec<Mutation>> = toml::from_str(&list).expect("mutations");
    let conformance = Conformance::read();
    let mutations = &mutations["mutation"];
    assert!(mutations.len() >= 10, "{}", mutations.len());
    for Mutation { rule, file, from, test } in mutations {
        let code = fs::read_to_string(root().join(file)).unwrap_or_default();
        assert_eq!(code.matches(from).count(), 1, "{rule}: {file} has not {from:?} once");
        let proofs = conformance.proofs_of(*rule);
        assert!(proofs.iter().any(|proof| proof.test == *test), "{rule}: {test} is none of {proofs:?}");
    }
}

#[test]
fn the_page_is_that_of_the_list_and_the_tests() {
    let page = Conformance::read().page();
    let path = root().join(PAGE);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differ = page.lines().zip(written.lines()).find(|(expected, written)| expected != written);
    assert!(
        page == written,
        "{PAGE} is behind; write it by UPDATE_GOLDEN=1 cargo test -p fmc-tests --test conformance\n{differ:#?}"
    );
}
