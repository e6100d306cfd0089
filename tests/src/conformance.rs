//! The VRRP rules that we keep, the tests that prove it, and the page that says both.
//!
//! `vrrp/conformance.toml` lists every rule. A test is tied to the rules that it proves by a line of its documentation,
//!
//! ```text
//! /// Proves V-01+, V-01-, V-55.
//! ```
//!
//! where `+` marks what is taken and `-` what is refused; a rule with `both = true` needs one of each.
//!
//! `vrrp/black_box.toml` lists the cases by which others test their implementations from outside. Those are tied by
//!
//! ```text
//! /// Shows B-05, B-16.
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::sources::{root, sources};

/// A list, and the word that ties a test to what stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// `/// Proves V-07.`
    Rules,
    /// `/// Shows B-07.`
    BlackBox,
}

impl List {
    const ALL: [Self; 2] = [Self::Rules, Self::BlackBox];

    fn prefix(self) -> &'static str {
        match self {
            Self::Rules => "V-",
            Self::BlackBox => "B-",
        }
    }

    fn tag(self) -> &'static str {
        match self {
            Self::Rules => "/// Proves ",
            Self::BlackBox => "/// Shows ",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Rules => "vrrp/conformance.toml",
            Self::BlackBox => "vrrp/black_box.toml",
        }
    }

    fn read(self) -> BTreeMap<Number, Rule> {
        let list = fs::read_to_string(root().join(self.file())).expect("the list");
        toml::from_str(&list).unwrap_or_else(|error| panic!("{}: {error}", self.file()))
    }
}

/// `V-07`: the number of a rule, which never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Number {
    list: List,
    place: u16,
}

impl TryFrom<String> for Number {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let of = |list: List| Some(Self { list, place: text.strip_prefix(list.prefix())?.parse().ok()? });
        let number = List::ALL.into_iter().find_map(of);
        number.filter(|number| number.to_string() == text).ok_or(format!("{text} is no number such as V-07"))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:02}", self.list.prefix(), self.place)
    }
}

/// One rule of a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What must hold, in our words.
    pub rule: String,
    /// Where it is written.
    pub source: String,
    /// What we make of it.
    pub verdict: Verdict,
    /// Whether it needs a case that is taken and one that is refused.
    #[serde(default)]
    pub both: bool,
    /// Why it is not kept as it stands; what the test shows instead.
    pub reason: Option<String>,
}

/// What we make of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it stands.
    Kept,
    /// In another way, for a reason.
    Differs,
    /// Not built; a configuration or a packet that needs it is refused or ignored in a defined way.
    Refused,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Differs => "differs",
            Self::Refused => "refused",
        }
    }
}

/// Which side of a rule a test shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The rule as a whole.
    Whole,
    /// What keeps it is taken.
    Taken,
    /// What breaks it is refused.
    Refused,
}

/// A test that names a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof {
    /// Of the rule.
    pub side: Side,
    /// The file, from the root of the workspace.
    pub file: String,
    /// The function.
    pub test: String,
}

/// Every rule by its number, and every test by the rule that it names.
#[derive(Debug)]
pub struct Conformance {
    /// In the order of their numbers.
    pub rules: BTreeMap<Number, Rule>,
    /// By number.
    pub proofs: BTreeMap<Number, Vec<Proof>>,
}

impl Conformance {
    /// Reads the list and the tests of the workspace.
    ///
    /// # Panics
    /// When a list is not of its shape, or a line that begins as a tag does is not of its, or stands above no test.
    pub fn read() -> Self {
        let mut proofs: BTreeMap<Number, Vec<Proof>> = BTreeMap::new();
        for file in sources() {
            for (rule, proof) in of_file(&file) {
                proofs.entry(rule).or_default().push(proof);
            }
        }
        proofs.values_mut().for_each(|proofs| proofs.sort());
        Self { rules: List::ALL.into_iter().flat_map(List::read).collect(), proofs }
    }

    /// The tests of a rule.
    pub fn proofs_of(&self, rule: Number) -> &[Proof] {
        self.proofs.get(&rule).map_or(&[], Vec::as_slice)
    }

    /// The page.
    pub fn page(&self) -> String {
        let of = |list| self.rules.iter().filter(move |(number, _)| number.list == list);
        let count = |verdict| of(List::Rules).filter(|(_, rule)| rule.verdict == verdict).count();
        let [kept, differs, refused] = [Verdict::Kept, Verdict::Differs, Verdict::Refused].map(count);
        let total = of(List::Rules).count();
        let counts =
            format!("Of {total} rules {kept} are kept, {differs} differ for a reason, and {refused} are refused.\n\n");
        let rules = "| rule | what must hold | written in | verdict | tests |\n|---|---|---|---|---|\n";
        let cases = "| case | what must be seen | whose | verdict | tests |\n|---|---|---|---|---|\n";
        let rows = |list| of(list).map(|(number, rule)| self.row(*number, rule)).collect::<String>();
        [HEAD, &counts, rules, &rows(List::Rules), BLACK_BOX, cases, &rows(List::BlackBox)].concat()
    }

    fn row(&self, number: Number, rule: &Rule) -> String {
        let Rule { rule, source, verdict, reason, both: _ } = rule;
        let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        let tests: Vec<String> = self.proofs_of(number).iter().map(link).collect();
        let (verdict, tests) = (verdict.word(), tests.join("<br>"));
        format!("| {number} | {rule} | {source} | **{verdict}**{reason} | {tests} |\n")
    }
}

const HEAD: &str = "# VRRP conformance

What the RFCs of VRRP ask, what this program makes of it, and the tests that hold it to that. Written by
`UPDATE_GOLDEN=1 cargo test -p fmc-tests --test conformance` from `vrrp/conformance.toml` and the tests that name a rule; a rule without a test, or a
page that is behind, fails the gate. `tests/mutations/run` takes fourteen of the rules out of the code, one after the other, and shows the test of each fail.

";

const BLACK_BOX: &str = "
## The cases of other implementations

Others test their routers from outside, by frames. Their cases in our words, and the tests that show each here: against Keepalived and FRR of the distribution, and against
routers that scapy plays (`tests/peers/vrrp_router.py`). Written from `vrrp/black_box.toml` and the tests that say `/// Shows B-05.`

";

fn link(proof: &Proof) -> String {
    let side = match proof.side {
        Side::Whole => "",
        Side::Taken => "taken: ",
        Side::Refused => "refused: ",
    };
    format!("{side}[`{}`](../../{})", proof.test, proof.file)
}

fn of_file(file: &Path) -> Vec<(Number, Proof)> {
    let text = fs::read_to_string(file).expect("a source file");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let tagged = lines.iter().enumerate().filter_map(|(at, line)| Some((at, tag(line)?)));
    tagged.flat_map(|(at, numbers)| of_line(file, at + 1, numbers, &lines[at + 1..])).collect()
}

/// The numbers of a tag; other sentences may begin with the same word.
fn tag(line: &str) -> Option<&str> {
    let of = |list: List| line.strip_prefix(list.tag()).filter(|numbers| numbers.starts_with(list.prefix()));
    List::ALL.into_iter().find_map(of)
}

fn of_line(file: &Path, line: usize, numbers: &str, below: &[&str]) -> Vec<(Number, Proof)> {
    let place = format!("{}:{line}", file.display());
    let test =
        name_of_test(below).unwrap_or_else(|| panic!("{place}: a tag of a rule above something that is no test"));
    let numbers =
        numbers.strip_suffix('.').unwrap_or_else(|| panic!("{place}: the list of rules ends with no full stop"));
    let file = file.strip_prefix(root()).unwrap_or(file).display().to_string();
    let proof = |side| Proof { side, file: file.clone(), test: test.to_owned() };
    let read = |word: &str| {
        let (number, side) = match (word.strip_suffix('+'), word.strip_suffix('-')) {
            (Some(number), _) => (number, Side::Taken),
            (_, Some(number)) => (number, Side::Refused),
            (None, None) => (word, Side::Whole),
        };
        let number = Number::try_from(number.to_owned()).unwrap_or_else(|error| panic!("{place}: {error}"));
        (number, proof(side))
    };
    numbers.split(", ").map(read).collect()
}

/// Only attributes and further documentation may stand between the tag and the test.
fn name_of_test<'a>(below: &[&'a str]) -> Option<&'a str> {
    let at = below.iter().position(|line| !line.starts_with("///") && !line.starts_with("#["))?;
    let is_test = below[..at].contains(&"#[test]");
    let name = below[at].strip_prefix("fn ")?.split('(').next()?;
    is_test.then_some(name)
}
