//! Every blow, again and again, on every pair in turn; what a client saw, as a line of JSON each. `bench/election` makes a page of it.

use std::process::ExitCode;
use std::time::Instant;

use fmc_tests::certificate::Authority;
use fmc_tests::lab::Lab;
use fmc_tests::server::Server;
use serde_json::json;

use crate::contender::{BLOWS, Contender, MORE_BLOWS, QUIET, Seen, watch};
use crate::distribution::Distribution;
use crate::junk::{self, KINDS};
use crate::live;
use crate::ours::Ours;

/// The profiles of the election.
const PROFILES: [&str; 3] = ["compat", "standard", "fast"];

pub(crate) fn run(rounds: Option<usize>) -> ExitCode {
    let Some(rounds) = rounds.filter(|rounds| *rounds > 0) else {
        eprintln!("fmc-demo: --measure needs a number of rounds");
        return ExitCode::from(64);
    };
    live::remove_labs_on_signals();
    for round in 0..rounds {
        // One pair after the other in each round, so that whatever else the machine does meets all of them.
        for profile in PROFILES {
            on_a_lab(|lab| one(round, lab, &mut Ours::with_profile(lab, profile)));
        }
        on_a_lab(|lab| one(round, lab, &mut Distribution::start(lab)));
    }
    ExitCode::SUCCESS
}

fn on_a_lab(measure: impl FnOnce(&Lab)) {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    measure(&lab);
}

fn one(round: usize, lab: &Lab, contender: &mut dyn Contender) {
    for blow in BLOWS.into_iter().chain(MORE_BLOWS) {
        let seen = watch(lab, contender, blow);
        print(round, contender, blow.0, &seen);
        contender.restore();
    }
    for kind in KINDS {
        let liar = junk::start(lab, kind, contender.speaks(), QUIET + contender.watched());
        let seen = watch(lab, contender, (kind.name, |_, _| Instant::now()));
        liar.join().expect("junk was sent");
        print(round, contender, kind.name, &seen);
        contender.restore();
    }
}

fn print(round: usize, contender: &dyn Contender, blow: &str, seen: &Seen) {
    let gap_ms = seen.gap.map(|gap| gap.as_secs_f64() * 1000.0);
    let watched_s = seen.watched.as_secs();
    println!(
        "{}",
        json!({ "round": round, "pair": contender.name(), "blow": blow, "gap_ms": gap_ms, "failed": seen.failed,
                "attempts": seen.attempts, "watched_s": watched_s })
    );
}
