//! The tool as an operator meets it: the real binary against a daemon of canned answers.
//!
//! Each golden `.json` is an answer of the admin API, each golden `.txt` what is shown for it.
//! `UPDATE_GOLDEN=1 cargo test -p fmc-ctl` writes the `.txt` files anew; read the difference before you commit it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use fake_daemon::{FakeDaemon, Ran, command};

mod fake_daemon;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/verbs/golden").join(name)
}

fn json(name: &str) -> String {
    std::fs::read_to_string(golden(&format!("{name}.json"))).unwrap()
}

fn assert_golden(name: &str, shown: &str) {
    let path = golden(&format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, shown).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(shown, expected, "{name}.txt differs; is that wanted? UPDATE_GOLDEN=1 cargo test -p fmc-ctl");
}

/// Runs `line` against a daemon that answers `path` with the golden JSON of that name.
fn shown(line: &str, path: &str, name: &str) -> Ran {
    FakeDaemon::new(&[(path, 200, &[&json(name)])]).run(line)
}

#[test]
fn every_view_is_shown_as_its_golden_file_has_it() {
    for (line, path, name) in [
        ("status", "/v1/status", "status"),
        ("status", "/v1/status", "status_trouble"),
        ("vips", "/v1/vips", "vips"),
        ("vips", "/v1/vips", "vips_trouble"),
        ("backends", "/v1/backends", "backends"),
        ("sessions", "/v1/sessions", "sessions"),
        ("sessions", "/v1/sessions", "sessions_none"),
        ("events", "/v1/events", "events"),
        ("explain vip api", "/v1/explain/vip/api", "explain_vip"),
        ("explain backend masters", "/v1/explain/backend/masters", "explain_backend"),
        ("report list", "/v1/failovers", "report_list"),
        ("report last", "/v1/failovers", "report_last"),
        ("report last web", "/v1/failovers", "report_web"),
        ("report last", "/v1/failovers", "report_none"),
        ("report observed", "/v1/observed", "report_observed"),
        ("kill 17", "/v1/kill", "kill"),
        ("weight masters/master2 0", "/v1/weight", "weight"),
    ] {
        let ran = shown(line, path, name);
        assert_golden(name, &ran.stdout);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}");
    }
}

#[test]
fn status_of_two_vips_in_peace_is_six_lines() {
    let ran = shown("status", "/v1/status", "status");
    assert_eq!(ran.stdout.lines().count(), 6);
}

#[test]
fn every_command_is_shown_as_its_golden_file_has_it_and_exits_with_its_answer() {
    for (line, path, plan, done, code) in [
        ("failover api", "/v1/failover", "failover_plan", "failover_done", 0),
        ("failover api --to loadbalancer2", "/v1/failover", "failover_plan", "failover_nobody", 1),
        ("drain masters/master3", "/v1/drain", "drain_plan", "drain_done", 0),
        ("drain master3", "/v1/drain", "drain_again", "drain_again", 0),
        ("rebalance masters", "/v1/rebalance", "rebalance_plan", "rebalance_done", 0),
        ("rebalance masters --idle 5s --rate 10/s", "/v1/rebalance", "rebalance_plan", "rebalance_stuck", 1),
        ("maint masters/master3", "/v1/maint", "maint_plan", "maint_done", 0),
        ("drain node loadbalancer1", "/v1/drain", "drain_node_plan", "drain_node_done", 0),
        ("undo", "/v1/undo", "undo_plan", "undo_done", 0),
        ("undo", "/v1/undo", "undo_plan", "undo_nothing_left", 0),
    ] {
        let daemon = FakeDaemon::new(&[(path, 200, &[&json(plan), &json(done)])]);
        let ran = daemon.run(line);
        assert_golden(done, &format!("{}---\n{}", ran.stderr, ran.stdout));
        assert_eq!(ran.code, Some(code), "{line}");
        let asked = daemon.asked();
        assert!(asked[0].contains(r#""dry_run":true"#) && asked[1].contains(r#""dry_run":false"#), "{asked:?}");
    }
}

#[test]
fn an_inventory_is_checked_and_rendered_without_a_daemon() {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../provision/examples/flatcar-micro-cloud.toml");
    let directory = tempfile::tempdir().unwrap();
    let lab = |words: &[&str]| {
        let tool = std::process::Command::new(env!("CARGO_BIN_EXE_fmc-lbctl")).arg("lab").args(words).output().unwrap();
        (tool.status.code(), String::from_utf8(tool.stdout).unwrap(), String::from_utf8(tool.stderr).unwrap())
    };
    let (inventory, output) = (example.to_str().unwrap(), directory.path().to_str().unwrap());
    let (code, said, _) = lab(&["check", inventory]);
    assert_eq!(code, Some(0));
    assert!(said.starts_with("valid: 12 machines in 4 networks, under 3 plans and 2 ways"), "{said}");
    for state in ["new", "unchanged"] {
        let (code, said, _) = lab(&["render", inventory, "--output", output]);
        assert!(code == Some(0) && said.starts_with(&format!("{state} ")), "{said}");
    }
    let (_, said, _) = lab(&["render", inventory, "--output", output, "--plan", "a"]);
    assert!(said.starts_with("changed "), "{said}");
    let wrong = directory.path().join("wrong.toml");
    std::fs::write(&wrong, std::fs::read_to_string(&example).unwrap().replace("cpus = 24", "cpu = 24")).unwrap();
    let (code, said, faults) = lab(&["check", wrong.to_str().unwrap()]);
    assert_eq!((code, said.as_str()), (Some(1), ""));
    assert!(faults.contains("did you mean `cpus`?"), "{faults}");
}

#[test]
fn files_of_haproxy_and_keepalived_are_imported_without_a_daemon() {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("import/tests/corpus");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fmc-lb.toml");
    let import = |case: &str, words: &[&str]| {
        let mut tool = std::process::Command::new(env!("CARGO_BIN_EXE_fmc-lbctl"));
        let tool = tool
            .current_dir(corpus.join(case))
            .args(["import", "haproxy.cfg", "keepalived-1.conf"])
            .args(words)
            .output()
            .unwrap();
        (tool.status.code(), String::from_utf8(tool.stdout).unwrap(), String::from_utf8(tool.stderr).unwrap())
    };
    let (output, name) = (file.to_str().unwrap(), "../fmc-lb.toml");

    let (code, said, _) = import("one-file", &["--output", output]);
    assert_eq!(code, Some(0), "{said}");
    assert_golden("import", &said.replace(output, name));
    let expected = std::fs::read_to_string(corpus.join("one-file/fmc-lb.toml")).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);

    let (code, _, said) = import("one-file", &["--output", output]);
    assert_eq!(code, Some(2));
    assert!(said.contains("File exists"), "what is there stays: {said}");

    let (code, said, _) = import("old-hand", &["--balancer", "lb1=192.168.7.2"]);
    assert_eq!(code, Some(1), "something was refused");
    assert!(
        said.contains("What was refused is not in the configuration.") && !said.contains("not \\\"this\\\""),
        "{said}"
    );

    let (code, said, _) = import("kubeadm", &["--json"]);
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, answer["written"].is_null()), (Some(1), true));
    assert!(answer["problems"][0].as_str().unwrap().contains("--balancer NAME=ADDRESS"), "{answer}");
    assert_eq!(answer["lines"][0]["file"], "haproxy.cfg");
}

#[test]
fn a_dry_run_changes_nothing() {
    for (line, path, plan) in [
        ("failover --dry-run", "/v1/failover", "failover_plan"),
        ("maint master3 --dry-run", "/v1/maint", "maint_plan"),
        ("undo --dry-run", "/v1/undo", "undo_plan"),
        ("rebalance masters --dry-run", "/v1/rebalance", "rebalance_plan"),
    ] {
        let daemon = FakeDaemon::new(&[(path, 200, &[&json(plan)])]);
        let ran = daemon.run(line);
        assert_golden(&format!("{plan}_dry"), &ran.stdout);
        assert_eq!(ran.code, Some(0));
        assert_eq!(daemon.asked().len(), 1);
    }
}

#[test]
fn undo_takes_back_what_it_has_shown_and_nothing_else() {
    let daemon = FakeDaemon::new(&[("/v1/undo", 200, &[&json("undo_plan"), &json("undo_done")])]);
    daemon.run("undo");
    let asked = daemon.asked();
    assert!(asked[0].contains(r#""act":null"#) && asked[1].contains(r#""act":7"#), "{asked:?}");
}

#[test]
fn a_change_that_is_not_saved_is_done_and_says_so() {
    let answer = json("weight").replacen('{', r#"{"unsaved": "No space left on device","#, 1);
    let ran = FakeDaemon::new(&[("/v1/weight", 200, &[&answer])]).run("weight masters/master2 0");
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.starts_with("done, but not saved: No space left on device; "), "{}", ran.stderr);
}

#[test]
fn a_probe_shows_every_step_and_exits_with_its_answer() {
    for (name, code) in [("probe", 0), ("probe_failed", 1)] {
        let daemon = FakeDaemon::new(&[("/v1/probe", 200, &[&json(name)])]);
        let ran = daemon.run("probe masters/master1");
        assert_golden(name, &ran.stdout);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""));
        assert!(daemon.asked()[0].contains(r#"{"backend":"masters","server":"master1"}"#));
    }
}

#[test]
fn a_move_that_cannot_be_is_not_tried_and_is_a_no() {
    let daemon = FakeDaemon::new(&[("/v1/failover", 200, &[&json("failover_refused")])]);
    let ran = daemon.run("failover web");
    assert_eq!(ran.stdout, "web 192.168.0.33 does not move: loadbalancer2 owns it; run this there\n");
    assert_eq!((ran.code, daemon.asked().len()), (Some(1), 1));
}

#[test]
fn a_backend_that_is_even_has_nothing_closed() {
    let daemon = FakeDaemon::new(&[("/v1/rebalance", 200, &[&json("rebalance_even")])]);
    let ran = daemon.run("rebalance masters");
    assert_golden("rebalance_even", &ran.stdout);
    assert_eq!((ran.code, daemon.asked().len()), (Some(0), 1));
}

#[test]
fn stand_ins_and_limits_are_seen() {
    let text = json("backends").replacen("\"backup\": false", "\"backup\": true", 1);
    let text = text.replacen("\"max_connections\": null", "\"max_connections\": 20", 1);
    let text = text.replacen("\"on_backups\": false", "\"on_backups\": true", 1);
    let ran = FakeDaemon::new(&[("/v1/backends", 200, &[&text])]).run("backends");
    for seen in
        ["10.17.4.21:6443 (backup)", "14 of 20", "masters: no regular server is in service, so its backups serve"]
    {
        assert!(ran.stdout.contains(seen), "{seen}: {}", ran.stdout);
    }
}

#[test]
fn a_node_that_owns_nothing_has_nothing_to_move() {
    let ran = shown("failover", "/v1/failover", "failover_none");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "this node owns no VIP: nothing to move\n"));
}

#[test]
fn drain_with_wait_says_how_far_it_is_and_ends_when_nothing_is_open() {
    let (plan, done) = (json("drain_plan"), json("drain_done"));
    let looks = [json("backends"), json("backends_drained")];
    let daemon =
        FakeDaemon::new(&[("/v1/drain", 200, &[&plan, &done]), ("/v1/backends", 200, &[&looks[0], &looks[1]])]);
    let ran = daemon.run("drain masters/master3 --wait --timeout 1m");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said: Vec<&str> = ran.stderr.lines().collect();
    assert!(said[0].starts_with("waiting: masters/master3 has 28 connections open, "), "{said:?}");
    assert_eq!(said[1..], ["drained: nothing is open on it"]);
}

#[test]
fn drain_with_wait_that_runs_out_is_a_no_and_stays_asked() {
    let daemon = FakeDaemon::new(&[
        ("/v1/drain", 200, &[&json("drain_plan"), &json("drain_done")]),
        ("/v1/backends", 200, &[&json("backends")]),
    ]);
    let ran = daemon.run("drain masters/master3 --wait --timeout 50ms");
    assert_eq!(ran.code, Some(1));
    let last = ran.stderr.lines().last().unwrap();
    assert_eq!(last, "gave up after 50 ms: masters/master3 has 28 connections open; what was asked stays asked");
}

#[test]
fn maint_with_wait_drains_first_and_cuts_nothing_when_that_runs_out() {
    let daemon = FakeDaemon::new(&[
        ("/v1/drain", 200, &[&json("drain_plan"), &json("drain_done")]),
        ("/v1/backends", 200, &[&json("backends")]),
    ]);
    assert_eq!(daemon.run("maint masters/master3 --wait --timeout 0s").code, Some(1));
    assert!(daemon.asked().iter().all(|asked| !asked.contains("/v1/maint")));
}

#[test]
fn ready_with_wait_waits_for_health() {
    let answer = json("drain_done").replace(r#""after": "drain""#, r#""after": "ready""#).replace("master3", "master1");
    let daemon = FakeDaemon::new(&[("/v1/ready", 200, &[&answer]), ("/v1/backends", 200, &[&json("backends")])]);
    let ran = daemon.run("ready masters/master1 --wait");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), "in service\n"));
}

#[test]
fn waiting_for_a_node_ends_when_its_vips_are_elsewhere() {
    let given_away = json("status").replace(
        r#""node": "loadbalancer1"
      },"#,
        r#""node": "loadbalancer2"
      },"#,
    );
    let given_away = given_away.replace(r#""connections": 42"#, r#""connections": 0"#);
    assert_ne!(given_away, json("status"));
    let daemon = FakeDaemon::new(&[
        ("/v1/drain", 200, &[&json("drain_node_plan"), &json("drain_node_done")]),
        ("/v1/status", 200, &[&json("status"), &given_away]),
    ]);
    let ran = daemon.run("drain node loadbalancer1 --wait");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("waiting: loadbalancer1 still owns api"), "{}", ran.stderr);
}

#[test]
fn every_read_has_json_that_is_the_answer_itself() {
    for (verb, path) in
        [("status", "/v1/status"), ("vips", "/v1/vips"), ("backends", "/v1/backends"), ("sessions", "/v1/sessions")]
    {
        let ran = shown(&format!("{verb} --json"), path, verb);
        let (shown, answer): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(&ran.stdout).unwrap(), serde_json::from_str(&json(verb)).unwrap());
        assert_eq!(shown, answer, "{verb}");
    }
}

#[test]
fn a_refusal_is_said_with_its_fix_and_a_no_is_not_a_failure() {
    for (status, kind, code) in [(404, "not-found", 2), (409, "no", 1), (503, "unavailable", 2)] {
        let body = format!(r#"{{"kind":"{kind}","error":"there is no server m9","fix":"use one of m1, m2"}}"#);
        let ran = FakeDaemon::new(&[("/v1/drain", status, &[&body])]).run("drain m9");
        assert_eq!(ran.stderr, "fmc-lbctl: there is no server m9; use one of m1, m2\n");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""));
    }
}

#[test]
fn no_daemon_is_a_failure_that_says_where_to_look() {
    let ran = Ran::from(command("status", "/nonexistent/admin.sock".as_ref()).output().unwrap());
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.ends_with("is fmc-lb running? see: systemctl status fmc-lb\n"), "{}", ran.stderr);
}

#[test]
fn a_command_line_that_makes_no_sense_exits_64() {
    for line in [
        "",
        "frobnicate",
        "drain",
        "drain node",
        "drain a b",
        "weight m1 257",
        "drain m1 --timeout 5m",
        "failover --to",
    ] {
        let ran = Ran::from(command(line, "/nonexistent".as_ref()).output().unwrap());
        assert_eq!(ran.code, Some(64), "{line}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty());
    }
    assert_eq!(command("--help", "/nonexistent".as_ref()).output().unwrap().status.code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let daemon = FakeDaemon::new(&[("/v1/status", 200, &[&json("status")])]);
    let mut child = command("status", &daemon.socket).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn following_events_prints_what_is_new_and_takes_a_restarted_proxy_for_granted() {
    let first = r#"{"now":"2026-11-21T03:12:04.120Z","node":"lb1","epoch":1,"last":1,"missed":0,"events":[
        {"sequence":1,"at":"2026-11-21T03:12:00.000Z","node":"lb1","severity":"info","kind":"role","subject":"vip api","text":"taken"}]}"#;
    let quiet = first.replace('\n', "").replacen(r#"[        {"sequence""#, r#"[{"sequence""#, 1);
    let quiet = format!("{}]}}", &quiet[..quiet.find('[').unwrap() + 1]);
    let second = first.replace(r#""epoch":1"#, r#""epoch":2"#).replace("taken", "given away");
    let daemon = FakeDaemon::new(&[(
        "/v1/events",
        200,
        &[first, &quiet, &second, &second, &quiet.replace(r#""epoch":1"#, r#""epoch":2"#)],
    )]);
    let mut child = command("events --follow", &daemon.socket).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let seen: Vec<String> = lines.take(2).map(Result::unwrap).collect();
    child.kill().unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(seen[0].ends_with("vip api: taken") && seen[1].ends_with("vip api: given away"), "{seen:?}");
    assert!(ran.stderr.starts_with("the proxy has restarted"), "{}", ran.stderr);
}
