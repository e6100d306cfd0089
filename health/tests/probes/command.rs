//! A program of the operator's as a check.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use fmc_config::model::health_check::{CommandProbe, Probe};
use fmc_health::{Check, Finding, Outcome};

use crate::health_check;

const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 7)), 6443);

async fn asked(script: &str, timeout: Duration) -> Outcome {
    let arguments = vec!["-c".to_owned(), script.to_owned()];
    ask(CommandProbe { program: "/bin/sh".into(), arguments }, timeout).await
}

async fn ask(probe: CommandProbe, timeout: Duration) -> Outcome {
    Check::new(&health_check(Probe::Command(probe), timeout), IpAddr::V4(Ipv4Addr::LOCALHOST)).probe(NOBODY).await
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn ending_with_0_passes_and_what_it_said_is_kept() {
    let outcome = asked("echo; echo all well; echo more", LONG).await;
    assert_eq!((outcome.finding, outcome.detail.as_str()), (Finding::Pass, "ended with 0: all well"));
    assert_eq!(asked("true", LONG).await.detail, "ended with 0");
}

#[tokio::test]
async fn anything_else_fails_and_says_how_it_ended() {
    for (script, said) in [
        ("echo replica is behind >&2; exit 3", "the program ended with 3: replica is behind"),
        ("exit 1", "the program ended with 1"),
        ("kill -9 $$", "the program was killed by signal 9"),
    ] {
        let outcome = asked(script, LONG).await;
        assert!(matches!(outcome.finding, Finding::Fail(_)), "{outcome:?}");
        assert_eq!(outcome.detail, said);
    }
}

#[tokio::test]
async fn it_is_told_whom_to_ask_and_nothing_else_of_us() {
    let outcome =
        asked(r#"echo "$FMC_ADDRESS:$FMC_PORT $(env | wc -l) $(pwd) $(ls /proc/self/fd | wc -l)""#, LONG).await;
    // The shell adds PWD and the like; descriptors: three, those of two pipes, and that of ls itself.
    let words: Vec<&str> = outcome.detail.trim_start_matches("ended with 0: ").split(' ').collect();
    assert_eq!((words[0], words[2]), ("127.0.0.7:6443", "/"), "{outcome:?}");
    assert!(words[1].parse::<u32>().unwrap() <= 8 && words[3].parse::<u32>().unwrap() <= 7, "{outcome:?}");
}

#[tokio::test]
async fn one_that_does_not_end_is_killed_with_all_that_it_has_started() {
    let directory = tempfile::tempdir().unwrap();
    let alive = directory.path().join("alive");
    let script = format!("(while :; do touch {0}; sleep 0.05; done) & wait", alive.display());
    let asked_at = Instant::now();
    let outcome = asked(&script, Duration::from_millis(300)).await;
    assert!(matches!(outcome.finding, Finding::Fail(_)) && asked_at.elapsed() < Duration::from_secs(5), "{outcome:?}");
    assert_eq!(outcome.detail, "no end of /bin/sh within 300ms");
    tokio::time::sleep(Duration::from_millis(200)).await;
    std::fs::remove_file(&alive).expect("it lived for a while");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!Path::new(&alive).exists(), "its child lives on");
}

#[tokio::test]
async fn what_it_leaves_behind_and_what_it_writes_without_end_keep_nobody_waiting() {
    let asked_at = Instant::now();
    assert_eq!(asked("sleep 30 & exit 0", LONG).await.finding, Finding::Pass);
    let outcome = asked("head -c 3000000 /dev/zero | tr '\\0' x; exit 4", LONG).await;
    assert!(outcome.detail.starts_with("the program ended with 4: xxx") && outcome.detail.len() < 400, "{outcome:?}");
    assert!(asked_at.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_program_that_cannot_be_started_says_nothing_about_the_server() {
    let probe = CommandProbe { program: "/nowhere/check".into(), arguments: Vec::new() };
    let outcome = ask(probe, LONG).await;
    assert_eq!(outcome.finding, Finding::Inconclusive);
    assert!(outcome.detail.contains("/nowhere/check cannot be started: No such file"), "{outcome:?}");
}
