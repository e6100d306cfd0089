//! What is different between two configurations, key by key, every default included.

use toml::{Table, Value};

use crate::model::Config;

/// One key that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key with the tables that it is in: `backends.masters.balance`.
    pub field: String,
    /// As it was, in TOML; `None`: it was not there.
    pub before: Option<String>,
    /// As it is; `None`: it is gone.
    pub after: Option<String>,
}

/// Every difference in what the two mean, in the order of the file; a default that was written out is none. A table that came or
/// went is one difference.
pub fn between(before: &Config, after: &Config) -> Vec<Difference> {
    let mut found = Vec::new();
    tables("", &parsed(before), &parsed(after), &mut found);
    found
}

/// The effective text is a valid file: a test holds it to that.
fn parsed(config: &Config) -> Table {
    config.effective().parse().unwrap_or_default()
}

fn tables(path: &str, before: &Table, after: &Table, found: &mut Vec<Difference>) {
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    for key in after.keys().chain(gone) {
        let field = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (before.get(key), after.get(key)) {
            (Some(Value::Table(before)), Some(Value::Table(after))) => tables(&field, before, after, found),
            (before, after) if before == after => {}
            (before, after) => found.push(Difference { field, before: before.map(shown), after: after.map(shown) }),
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let entries = table.iter().map(|(key, value)| format!("{key} = {}", shown(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab() -> String {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flatcar-micro-cloud.toml");
        std::fs::read_to_string(example).unwrap()
    }

    /// `field: before -> after`, as one text.
    fn differences(after: &str) -> Vec<String> {
        let parse = |text: &str| Config::parse(text, "fmc-lb.toml").unwrap_or_else(|errors| panic!("{errors:?}"));
        let show = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
        let found = between(&parse(&lab()), &parse(after));
        found.into_iter().map(|d| format!("{}: {} -> {}", d.field, show(d.before), show(d.after))).collect()
    }

    #[test]
    fn a_default_that_is_written_out_and_a_comment_are_no_difference() {
        let text =
            lab().replace("[backends.masters]\n", "# the API\n[backends.masters]\nbalance = \"least-connections\"\n");
        assert_eq!(differences(&text), [""; 0]);
    }

    #[test]
    fn what_was_added_taken_away_and_changed_is_named_by_its_key() {
        let text = lab()
            .replace("master3 = \"10.17.4.23:6443\"", "master4 = \"10.17.4.29:6443\"")
            .replace("worker1 = \"10.17.4.24\"", "worker1 = \"10.17.4.27\"")
            .replace("[backends.workers]\n", "[backends.workers]\nbalance = \"power-of-two\"\n");
        assert_eq!(
            differences(&text),
            [
                "backends.masters.servers.master4: - -> { address = \"10.17.4.29\", port = 6443, weight = 1, backup = false }",
                "backends.masters.servers.master3: { address = \"10.17.4.23\", port = 6443, weight = 1, backup = false } -> -",
                "backends.workers.balance: \"round-robin\" -> \"power-of-two\"",
                "backends.workers.servers.worker1.address: \"10.17.4.24\" -> \"10.17.4.27\"",
            ]
        );
    }

    #[test]
    fn a_whole_table_is_one_difference() {
        let more = "\n[frontends.more]\nvip = \"web\"\nport = 8443\nprofile = \"traefik-web\"\nbackend = \"workers\"\n";
        let found = differences(&(lab() + more));
        assert!(
            found.iter().any(
                |line| line.starts_with("frontends.more: - -> { vip = \"web\", protocol = \"tcp\", ports = [8443]")
            ),
            "{found:#?}"
        );
    }
}
