//! The whole lab of the shipped inventory, as rendered, on this machine.

use std::path::Path;

use fmc_tests::rehearsal::Rehearsal;

#[test]
fn the_lab_of_the_example_holds_when_it_is_built_from_what_is_rendered() {
    let inventory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../provision/examples/flatcar-micro-cloud.toml");
    let mut rehearsal = Rehearsal::build(&inventory, Some("c"), Some("router")).expect("the example is right");
    let report = rehearsal.run(|step| eprintln!("{step}"));
    let wrong: Vec<String> = report.failures().map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
