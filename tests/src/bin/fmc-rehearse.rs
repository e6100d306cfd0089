//! `fmc-rehearse`: the whole lab of an inventory in network namespaces, and whether it holds. `./rehearse` runs it.

#![allow(clippy::print_stdout, reason = "this program is for reading")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use fmc_tests::lab::Lab;
use fmc_tests::rehearsal::Rehearsal;

const USAGE: &str = "usage: rehearse [INVENTORY] [--plan NAME] [--way NAME]";

/// What is shipped.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../provision/examples/flatcar-micro-cloud.toml");

fn main() -> ExitCode {
    let (mut inventory, mut plan, mut way) = (PathBuf::from(EXAMPLE), None, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            "--plan" => plan = words.next(),
            "--way" => way = words.next(),
            other if other.starts_with('-') => {
                eprintln!("rehearse: {other} means nothing here\n{USAGE}");
                return ExitCode::from(64);
            }
            file => inventory = file.into(),
        }
    }
    remove_on_signals();
    let begin = Instant::now();
    let mut rehearsal = match Rehearsal::build(&inventory, plan.as_deref(), way.as_deref()) {
        Ok(rehearsal) => rehearsal,
        Err(error) => {
            eprintln!("rehearse: {}: {error:#}", inventory.display());
            return ExitCode::from(2);
        }
    };
    println!("built in {:.1} s", begin.elapsed().as_secs_f64());
    let report = rehearsal.run(|step| println!("{step}"));
    drop(rehearsal);
    let failures = report.failures().count();
    println!(
        "\n{} of {} steps hold, in {:.0} s",
        report.steps.len() - failures,
        report.steps.len(),
        begin.elapsed().as_secs_f64()
    );
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// On a signal, where nothing is dropped, whatever this process built goes too.
fn remove_on_signals() {
    let signals = [nix::sys::signal::SIGINT, nix::sys::signal::SIGTERM, nix::sys::signal::SIGHUP];
    let set: nix::sys::signal::SigSet = signals.into_iter().collect();
    // Blocked before any thread starts, so that only the one below ever takes them.
    set.thread_block().expect("signals can be blocked");
    std::thread::spawn(move || {
        let _signal = set.wait();
        Lab::remove_all();
        std::process::exit(130);
    });
}
