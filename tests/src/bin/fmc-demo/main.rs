//! `fmc-demo`: the lab on one machine. It kills things and prints what a client saw, of fmc-lb and of the
//! distribution's HAProxy + Keepalived, side by side; then it leaves fmc-lb running to look at.

#![allow(clippy::print_stdout, reason = "this program is for reading")]

mod contender;
mod distribution;
mod forward;
mod junk;
mod live;
mod measure;
mod ours;
mod table;

use std::io::IsTerminal;
use std::process::ExitCode;

use fmc_tests::certificate::Authority;
use fmc_tests::lab::Lab;
use fmc_tests::server::Server;

use contender::run_course;
use distribution::Distribution;
use ours::Ours;

const USAGE: &str = "usage: fmc-demo [--once | --measure ROUNDS]\n  --once            end after the comparison instead of leaving fmc-lb running\n  --measure ROUNDS  for bench/election: every blow so often on every pair, one line of JSON each";

fn main() -> ExitCode {
    let once = match std::env::args().nth(1).as_deref() {
        None => !std::io::stdin().is_terminal(),
        Some("--once") => true,
        Some("--measure") => return measure::run(std::env::args().nth(2).and_then(|rounds| rounds.parse().ok())),
        Some("--help" | "-h") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(other) => {
            eprintln!("fmc-demo: {other} means nothing here\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    live::remove_labs_on_signals();
    println!("Building the lab: a hypervisor, two balancers, three masters, three workers, a client ...");
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut ours = Ours::start(&lab);
    live::announce(&lab);
    let mine = run_course(&lab, &mut ours);
    let theirs = compare();
    let comparison = table::render(&mine, &theirs);
    println!("{comparison}");
    if !once {
        live::watch(&lab, &ours, &comparison);
    }
    ExitCode::SUCCESS
}

/// The same on a lab of its own, with the distribution's pair.
fn compare() -> contender::Results {
    println!("Building the same lab for HAProxy and Keepalived ...");
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut distribution = Distribution::start(&lab);
    run_course(&lab, &mut distribution)
}
