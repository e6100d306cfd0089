//! No text makes the parser panic, and what it takes can be written out and read back.

use fmc_config::model::Config;
use proptest::prelude::*;

const SOURCES: [&str; 6] = [
    include_str!("../examples/flatcar-micro-cloud.toml"),
    include_str!("../examples/plan-a.toml"),
    include_str!("../examples/plan-b.toml"),
    include_str!("../examples/minimal.toml"),
    include_str!("everything.toml"),
    include_str!("wrong/many.toml"),
];

/// Pieces that sit near the borders of the rules.
const PIECES: &[&str] = &[
    "0",
    "-1",
    "65536",
    "99999999999999999999999999999999999999999",
    "0x7f",
    "1e400",
    "nan",
    "true",
    "\"\"",
    "\"never\"",
    "\"0s\"",
    "\"18446744073709551615h\"",
    "\"fd00::1\"",
    "\"0.0.0.0/0\"",
    "\"ñ\"",
    "[]",
    "[[]]",
    "{}",
    "{ 80 = 80 }",
    "[nodes]",
    "[vips.api]",
    "[[vips]]",
    "[frontends.x.y]",
    "\n",
    "=",
    "\"",
    "'''",
    "#",
    ".",
    "1979-05-27",
    "\u{0}",
    "check.type = 3\n",
    "servers.a.b = 1\n",
    "\r",
];

/// Reads `source`; whatever comes out must hold together.
fn holds_together(source: &str) {
    match Config::parse_with_warnings(source, "any.toml") {
        Ok((config, warnings)) => {
            assert_eq!(warnings.render(false).is_empty(), warnings.is_empty());
            let written = config.effective();
            let read = Config::parse(&written, "effective").unwrap_or_else(|found| panic!("{found}\n{written}"));
            assert_eq!(read, config);
        }
        Err(found) => {
            assert!(!found.is_empty());
            assert_eq!(found.lines().lines().count(), found.len(), "{found}");
            assert!(found.render(true).contains("any.toml"));
        }
    }
}

fn cut(source: &str, at: usize) -> usize {
    (0..=at % (source.len() + 1)).rev().find(|&at| source.is_char_boundary(at)).unwrap_or(0)
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(PIECES).prop_map(str::to_owned), ".{0,4}"]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        piece(),
        (0_u32..700).prop_map(|number| number.to_string()),
        (0_u32..100, prop::sample::select(&["ms", "s", "m", "h"][..])).prop_map(|(n, unit)| format!("\"{n}{unit}\"")),
        (0_u8.., 0_u8..).prop_map(|(a, b)| format!("\"10.17.{a}.{b}\"")),
        prop::sample::select(&["\"tcp\"", "\"https\"", "\"k3s-api\"", "\"k8s-api\"", "\"traefik-web\"", "\"api\""][..])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_read_without_a_panic(source in "(?s).{0,200}") {
        holds_together(&source);
    }

    #[test]
    fn a_file_with_pieces_put_in_and_cut_out_is_read_without_a_panic(
        source in prop::sample::select(&SOURCES[..]),
        edits in prop::collection::vec((any::<usize>(), 0_usize..12, piece()), 1..6),
    ) {
        let mut text = source.to_owned();
        for (at, length, piece) in edits {
            let start = cut(&text, at);
            let end = cut(&text, (start + length).min(text.len())).max(start);
            text.replace_range(start..end, &piece);
        }
        holds_together(&text);
    }

    #[test]
    fn a_file_with_other_values_is_read_without_a_panic(
        source in prop::sample::select(&SOURCES[..]),
        edits in prop::collection::vec((any::<usize>(), value()), 1..4),
    ) {
        let mut lines: Vec<_> = source.lines().map(str::to_owned).collect();
        for (at, value) in edits {
            let at = at % lines.len();
            if let Some((key, _)) = lines[at].split_once(" = ") {
                lines[at] = format!("{key} = {value}");
            }
        }
        holds_together(&lines.join("\n"));
    }

    #[test]
    fn a_file_without_some_of_its_lines_is_read_without_a_panic(
        source in prop::sample::select(&SOURCES[..]),
        kept in prop::collection::vec(prop::bool::weighted(0.9), 90),
    ) {
        let lines = source.lines().zip(kept).filter(|(_, kept)| *kept).map(|(line, _)| line);
        holds_together(&lines.collect::<Vec<_>>().join("\n"));
    }
}
