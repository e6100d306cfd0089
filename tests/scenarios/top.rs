//! `fmc-lbctl top` on a real terminal, before a real pair.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fmc_api::word::AdminState;
use fmc_tests::binaries::product;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::Target;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::{NODES, Pair, WEB};
use fmc_tests::recording::Recording;
use fmc_tests::screen::{Said, Screen};
use fmc_tests::server::Server;

const SOON: Duration = Duration::from_secs(5);

#[test]
fn top_shows_a_pair_on_80_columns_and_a_key_drains_a_server_and_moves_a_vip_once_it_is_confirmed() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let mut top = Command::new(product("fmc-lbctl"));
    top.arg("--socket").arg(pair.first.path("admin.sock")).args(["--this-node", "top", "--interval", "200ms"]);
    let mut screen = Screen::start(&mut top, (80, 24));
    for shown in ["loadbalancer1", "192.168.0.33", "masters/master3", "workers/worker1", "HTTP 200 from /ping"] {
        screen.wait_for(shown, SOON);
    }
    let asked = |state| pair.first.backends().backends[0].servers[0].admin == state;

    screen.press("jjd");
    screen.wait_for("y: do it", SOON);
    screen.press("n");
    screen.wait_for("nothing was changed", SOON);
    assert!(asked(AdminState::Ready), "it was not confirmed");
    screen.press("d");
    screen.wait_for("y: do it", SOON);
    screen.press("y");
    eventually("the server is drained", SOON, || asked(AdminState::Drain));
    screen.wait_for("drain", SOON);

    screen.press("gjf");
    screen.wait_for("y: do it", SOON);
    screen.press("y");
    pair.ownership.wait_for(NODES[1], WEB, SOON);

    drop(workers);
    screen.wait_for("unhealthy", Duration::from_secs(20));
    screen.press("q");
    assert!(screen.wait(SOON).success(), "{}", screen.text());
}

#[test]
fn without_a_terminal_top_says_what_a_script_uses_instead() {
    let output = Command::new(product("fmc-lbctl")).arg("top").output().expect("fmc-lbctl");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{told}");
    assert!(told.contains("status --json"), "{told}");
}

/// Not a test: the session of the README, typed before a pair that lives and serves. `bench/session` draws it.
#[test]
#[ignore = "records a picture for the documents: bench/session"]
fn session_for_the_documents() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_key(&lab, KEY));
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(4));
    std::thread::sleep(MEASURED);
    let mut recording = Recording::new(SIZE, "\x1b[1mloadbalancer1:~#\x1b[0m ");
    for (line, then) in [
        ("status", Duration::ZERO),
        ("drain workers/worker1", Duration::ZERO),
        ("explain backend workers", Duration::ZERO),
        ("ready workers/worker1", Duration::ZERO),
        ("failover web --yes", MEASURED),
        ("report last", Duration::ZERO),
        ("status", Duration::ZERO),
    ] {
        recording.type_command(&format!("fmc-lbctl {line}"));
        recording.play(&scene(&pair, line));
        std::thread::sleep(then);
    }
    load.stop().assert_all_served();
    recording.write(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/session.cast"));
}

const KEY: &str = "0123456789abcdef0123456789abcdef";

const SIZE: (u16, u16) = (120, 24);

/// A move has measured itself by then, and a pair has settled.
const MEASURED: Duration = Duration::from_secs(12);

fn scene(pair: &Pair<'_>, line: &str) -> Said {
    let mut command = Command::new(product("fmc-lbctl"));
    command.arg("--socket").arg(pair.first.path("admin.sock")).args(line.split(' ')).env_remove("NO_COLOR");
    let mut screen = Screen::start(&mut command, SIZE);
    screen.wait(SOON * 2);
    // Its last words may still be on their way to the reader of the terminal.
    std::thread::sleep(Duration::from_millis(100));
    screen.said()
}
