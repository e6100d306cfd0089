//! Every rule of VRRP has a test that names it, and the page says which.

use std::fs;

use fmc_tests::conformance::{Conformance, Side, Verdict};
use fmc_tests::sources::root;

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
    assert!(bare.is_empty(), "no test says `/// Proves` of {bare:?}");
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
