//! fmc-lb left running, with its status every second.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use fmc_tests::balancer::Balancer;
use fmc_tests::exchange::Target;
use fmc_tests::lab::Lab;
use fmc_tests::load::{Load, Record};
use fmc_tests::pair::NODES;

use crate::forward;
use crate::ours::Ours;

/// The status page's port on every node, and of the first door on this machine.
const PORT: u16 = 9109;

/// On SIGINT, SIGTERM or SIGHUP, whenever they come, removes what this process built, then ends it.
pub(crate) fn remove_labs_on_signals() {
    let signals = [nix::sys::signal::SIGINT, nix::sys::signal::SIGTERM, nix::sys::signal::SIGHUP];
    let set: nix::sys::signal::SigSet = signals.into_iter().collect();
    // Blocked before any thread starts, so that only the one below ever takes them.
    set.thread_block().expect("signals can be blocked");
    thread::spawn(move || {
        let _signal = set.wait();
        println!("\nRemoving the lab ...");
        Lab::remove_all();
        std::process::exit(0);
    });
}

/// Opens the status pages to this machine and says where they are.
pub(crate) fn announce(lab: &Lab) {
    for (node, wanted) in NODES.into_iter().zip(PORT..) {
        let page = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        match forward::open(lab.machine(node), page, wanted) {
            Ok(local) => println!("Status page of {node}: http://{local}/  (also /metrics and /v1/status)"),
            Err(error) => println!("No door to the status page of {node}: {error}"),
        }
    }
    println!("A shell as the client: ip netns exec {} bash", lab.client().name());
}

/// Prints the comparison, what a client saw in the last second, and the status of both nodes, until a signal ends the
/// process.
pub(crate) fn watch(lab: &Lab, ours: &Ours<'_>, comparison: &str) -> ! {
    loop {
        let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(10));
        thread::sleep(Duration::from_secs(1));
        let client = last_second(&load.stop());
        let [first, second] = ours.nodes().map(status);
        // Clear, and begin at the top: the page stands still while its words change.
        println!("\x1b[H\x1b[2J{comparison}\n{client}\n\n{first}\n{second}\nCtrl-C ends it and removes everything.");
    }
}

fn last_second(record: &Record) -> String {
    let spread = record.spread().into_iter().map(|(server, count)| format!("{server} {count}"));
    let spread = spread.collect::<Vec<_>>().join(", ");
    format!(
        "client, last second: {} connections, {} failed; {spread}",
        record.attempts().len(),
        record.failures().len()
    )
}

fn status(node: &Balancer<'_>) -> String {
    let output = node.ctl(&["status"]);
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
