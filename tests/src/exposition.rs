//! `/metrics` of a balancer as its readers see it: families, series, and what `promtool` says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use crate::namespace::Namespace;

/// One page.
#[derive(Debug, Clone)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// Reads the page at `url` from `machine`.
    ///
    /// # Panics
    /// When it is not there.
    pub fn read(machine: &Namespace, url: &str) -> Self {
        Self { text: machine.expect("curl", &["-fsS", "--max-time", "5", url]) }
    }

    /// The page as it is.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of all families, which dashboards and alerts may name; those of histograms with their three suffixes.
    pub fn names(&self) -> BTreeSet<String> {
        let families = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names = families.filter_map(|rest| rest.split_once(' ')).flat_map(|(name, kind)| match kind {
            "histogram" => ["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")).to_vec(),
            _ => vec![name.to_owned()],
        });
        names.collect()
    }

    /// Every series with its labels, as written, and its value.
    pub fn series(&self) -> BTreeMap<&str, f64> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let pairs = lines.filter_map(|line| line.rsplit_once(' '));
        pairs.map(|(series, value)| (series, value.parse().unwrap_or_else(|_| panic!("{series}: {value}")))).collect()
    }

    /// The keys of all labels.
    pub fn label_keys(&self) -> BTreeSet<&str> {
        let labels = self.series().into_keys().filter_map(|series| series.split_once('{')).map(|(_, labels)| labels);
        labels
            .flat_map(|labels| labels.split("\","))
            .filter_map(|label| label.split_once('='))
            .map(|(key, _)| key)
            .collect()
    }

    /// The value of one series.
    ///
    /// # Panics
    /// When there is none.
    pub fn value(&self, series: &str) -> f64 {
        *self.series().get(series).unwrap_or_else(|| panic!("no series {series} in\n{}", self.text))
    }
}

/// Runs `promtool` with `input`, and returns everything that it said; `Err` when it is not content.
///
/// # Panics
/// When there is no promtool: Debian's package is `prometheus`.
pub fn promtool(arguments: &[&str], input: &str) -> Result<String, String> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool, of Debian's package prometheus");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("promtool reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(said) } else { Err(said) }
}
