//! What stands in two places says the same in both.

use std::path::Path;

/// The blocks of code of a page, without what follows a `#` that parts a comment from a line.
fn blocks(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let parts = text.split("```").skip(1).step_by(2);
    let without_comment = |line: &str| {
        line.split("  # ").next().unwrap_or_default().split("    #").next().unwrap_or_default().trim_end().to_owned()
    };
    parts.map(|part| part.lines().map(without_comment).collect::<Vec<_>>().join("\n")).collect()
}

#[test]
fn the_readme_in_spanish_has_the_commands_the_file_and_the_picture_of_the_one_in_english() {
    let (english, spanish) = (blocks("README.md"), blocks("README.es.md"));
    assert!(english.len() >= 6, "{english:#?}");
    assert_eq!(spanish, english, "left Spanish, right English");
}

#[test]
fn both_pages_for_3_am_have_a_section_for_each_alert() {
    let rules = include_str!("../../dist/prometheus/fmc-lb.rules.yml");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 5, "{alerts:?}");
    for page in
        [include_str!("../../docs/how-to/at-3-am.md"), include_str!("../../docs/how-to/a-las-3-de-la-manana.md")]
    {
        let missing: Vec<_> = alerts.iter().filter(|alert| !page.contains(*alert)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
