//! Whatever HAProxy's and Keepalived's files hold, an import ends, tells the fate of lines, and makes a configuration or none.

#![no_main]

use fmc_config::model::Config;
use fmc_import::{Node, Source, Surroundings, Wishes, import};
use libfuzzer_sys::fuzz_target;

/// Files include one another and themselves, and every other variable is set.
struct Loop(String);

impl Surroundings for Loop {
    fn variable(&self, name: &str) -> Option<String> {
        (name.len() % 2 == 0).then(|| name.to_owned())
    }

    fn included(&self, pattern: &str, _: &str) -> Result<Vec<Source>, String> {
        match pattern.len() {
            1 => Err("cannot be read".to_owned()),
            2 => Ok(vec![Source { name: pattern.to_owned(), text: self.0.clone() }]),
            _ => Ok(Vec::new()),
        }
    }
}

fuzz_target!(|input: &str| {
    // A character that stands in neither program's files parts the two.
    let (haproxy, keepalived) = input.split_once('\u{1}').unwrap_or((input, input));
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let node = |name: &str, address: [u8; 4]| Node { name: name.parse().expect("a name"), address: address.into() };
    let nodes = vec![node("a", [10, 0, 0, 2]), node("b", [10, 0, 0, 3])];
    let wishes = Wishes { nodes, vips: Vec::new(), beside_keepalived: haproxy.len() % 2 == 0 };
    let keepalived = source("keepalived.conf", keepalived);
    let imported = import(&source("haproxy.cfg", haproxy), &[keepalived.clone()], &wishes, &Loop(keepalived.text));
    if let Some(toml) = &imported.toml {
        Config::parse(toml, "fmc-lb.toml").expect("what is written is a configuration");
    }
    let _shown = imported.ledger.to_string();
});
