//! What is imported from HAProxy's and Keepalived's files does what they did, and takes their place without a failed connection.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use fmc_tests::balancer::Balancer;
use fmc_tests::binaries::product;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::openssl;
use fmc_tests::ownership::Ownership;
use fmc_tests::pair::{API, NODES, WEB};
use fmc_tests::peer::Peer;
use fmc_tests::process::Spawn;
use fmc_tests::server::{Server, wait_until_served};

const BALANCERS: [&str; 4] = ["--balancer", "loadbalancer1=192.168.0.30", "--balancer", "loadbalancer2=192.168.0.31"];

fn run(files: &[&Path], words: &[&str]) -> Output {
    Command::new(product("fmc-lbctl")).arg("import").args(files).args(words).output().expect("fmc-lbctl starts")
}

/// The configuration that comes of `files`.
fn imported(lab: &Lab, files: &[&Path], words: &[&str]) -> Configuration {
    let file = lab.path("imported.toml");
    let _none_before = std::fs::remove_file(&file);
    let name = file.to_str().expect("a name of ours");
    let output = run(files, &[words, &["--output", name]].concat());
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
    Configuration::from_text(std::fs::read_to_string(&file).expect("it was written"))
}

const PORTS: [u16; 5] = [80, 443, 8080, 8081, 8082];
/// Whole turns of every weight above.
const CONNECTIONS: usize = 24;

/// Who gets how many of the connections to each port.
fn who(lab: &Lab) -> BTreeMap<u16, BTreeMap<String, usize>> {
    let served = |port: u16| {
        let target = Target::http(&format!("{WEB}:{port}"));
        let mut spread = BTreeMap::new();
        for _ in 0..CONNECTIONS {
            *spread.entry(fetch(lab.client(), &target).outcome.unwrap_or_else(|_| "nobody".to_owned())).or_default() +=
                1;
        }
        (port, spread)
    };
    PORTS.into_iter().map(served).collect()
}

/// Who gets which while all serve, and once `worker1` is dead.
fn before_and_after_a_death(lab: &Lab) -> [BTreeMap<u16, BTreeMap<String, usize>>; 2] {
    let mut workers = Server::workers(lab);
    let spared = Target::http(&format!("{WEB}:8080"));
    let serves = |name: &str| fetch(lab.client(), &spared).outcome.as_deref() == Ok(name);
    eventually("the first worker serves", Duration::from_secs(8), || serves("worker1"));
    // Every check has passed as often as it must.
    std::thread::sleep(Duration::from_secs(2));
    let all = who(lab);
    workers[0].kill();
    eventually("the backup serves", Duration::from_secs(8), || serves("worker3"));
    std::thread::sleep(Duration::from_secs(2));
    [all, who(lab)]
}

#[test]
fn haproxy_and_ours_from_the_same_file_give_each_connection_to_the_same_server() {
    let lab = Lab::flatcar_micro_cloud();
    let file = lab.write("haproxy.cfg", include_str!("../peers/haproxy-choices.cfg"));
    let node = lab.machine(NODES[0]);
    node.expect("ip", &["address", "add", "192.168.0.33/32", "dev", "eth0"]);
    let spawn =
        Spawn::new("haproxy", lab.path("haproxy.log")).args(["-db", "-f", file.to_str().expect("a name of ours")]);
    let haproxy = node.spawn(spawn);
    let theirs = before_and_after_a_death(&lab);
    drop(haproxy);
    node.expect("ip", &["address", "delete", "192.168.0.33/32", "dev", "eth0"]);

    let words = ["--balancer", "loadbalancer1=192.168.0.30", "--vip", "web=192.168.0.33"];
    let configuration = imported(&lab, &[&file], &words);
    let ours = Balancer::start(&lab, NODES[0], &configuration);
    ours.wait_until_up();
    assert_eq!(before_and_after_a_death(&lab), theirs, "left ours, right HAProxy's; from\n{}", configuration.text());
    let [all, after] = &theirs;
    assert_eq!(
        all[&80],
        BTreeMap::from([("worker1", 12), ("worker2", 6), ("worker3", 6)].map(|(name, n)| (name.to_owned(), n)))
    );
    assert!(all[&8082].keys().eq(["nobody"]) && after[&8080].keys().eq(["worker3"]), "{theirs:?}");
}

/// Who answers each kind of client, by the names in its certificate.
fn by_name(lab: &Lab) -> Vec<String> {
    let clients = [
        &["-servername", "grafana.lab"][..],
        &["-servername", "GRAFANA.lab", "-tls1_2"],
        &["-servername", "x.apps.lab"],
        &["-servername", "x.y.apps.lab"],
        &["-servername", "apps.lab"],
        &["-servername", "xapps.lab"],
        &["-noservername"],
        &["-servername", "grafana.lab", "-alpn", "acme-tls/1"],
        &["-servername", "grafana.lab", "-bind", "192.168.0.51"],
        &["-servername", "other.lab", "-bind", "192.168.0.51"],
    ];
    let at = format!("{WEB}:8443");
    let answers = || clients.map(|words| openssl::subject(lab, &at, words)).to_vec();
    eventually("every service answers", Duration::from_secs(8), || answers().iter().all(|names| !names.is_empty()));
    answers()
}

#[test]
fn haproxy_and_ours_from_the_same_file_choose_the_same_backend_by_name_protocol_and_network() {
    let lab = Lab::flatcar_micro_cloud();
    let authority = Authority::new();
    let _services = [
        ("worker1", "10.17.4.24:9443", "acme.lab"),
        ("worker2", "10.17.4.25:8443", "grafana.lab"),
        ("worker3", "10.17.4.26:8443", "*.apps.lab"),
        ("worker1", "10.17.4.24:8443", "others.lab"),
    ]
    .map(|(machine, at, name)| openssl::serve(&lab, &authority, machine, at, name));
    lab.client().expect("ip", &["address", "add", "192.168.0.51/24", "dev", "eth0"]);
    let file = lab.write("haproxy.cfg", include_str!("../peers/haproxy-names.cfg"));
    let node = lab.machine(NODES[0]);
    node.expect("ip", &["address", "add", "192.168.0.33/32", "dev", "eth0"]);
    let spawn =
        Spawn::new("haproxy", lab.path("haproxy.log")).args(["-db", "-f", file.to_str().expect("a name of ours")]);
    let haproxy = node.spawn(spawn);
    let theirs = by_name(&lab);
    drop(haproxy);
    node.expect("ip", &["address", "delete", "192.168.0.33/32", "dev", "eth0"]);

    let words = ["--balancer", "loadbalancer1=192.168.0.30", "--vip", "web=192.168.0.33"];
    let configuration = imported(&lab, &[&file], &words);
    let ours = Balancer::start(&lab, NODES[0], &configuration);
    ours.wait_until_up();
    assert_eq!(by_name(&lab), theirs, "left ours, right HAProxy's; from\n{}", configuration.text());
    let told =
        ["grafana", "apps.lab", "others", "acme"].map(|name| theirs.iter().filter(|who| who.contains(name)).count());
    assert_eq!(told, [2, 4, 3, 1], "{theirs:?}");
}

/// `fmc-lbctl apply` of the same file with the right to take over.
fn take_over(lab: &Lab, ours: &Balancer<'_>, beside: &Configuration, trial: &str) -> Configuration {
    let lines =
        beside.text().lines().map(|line| if line.starts_with("priority = ") { "failback = \"always\"" } else { line });
    let next = Configuration::from_text(lines.collect::<Vec<_>>().join("\n"));
    assert_ne!(next.text().trim(), beside.text().trim(), "no priority to raise");
    let file: PathBuf = next.write(lab, "takeover.toml");
    ours.expect_ctl(&["apply", file.to_str().expect("a name of ours"), "--yes", "--confirm-within", trial]);
    next
}

#[test]
fn a_live_pair_of_haproxy_and_keepalived_is_taken_over_on_trial_given_back_and_taken_over_without_a_failed_connection()
{
    let lab = Lab::flatcar_micro_cloud();
    let authority = Authority::new();
    let _masters = Server::masters(&lab, &authority);
    let _workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES);
    let [first, second] = Peer::lab_pair(&lab);
    let (web, api) = (Target::http("192.168.0.33:80"), Target::https("192.168.0.32:6443", &authority));
    for (address, target) in [(WEB, &web), (API, &api)] {
        ownership.wait_for(NODES[0], address, Duration::from_secs(8));
        wait_until_served(&lab, target, Duration::from_secs(8));
    }
    let loads = [web, api].map(|target| Load::start(lab.client(), target, Duration::from_millis(25)));

    let files = ["loadbalancer1.haproxy.cfg", "loadbalancer1.keepalived.conf", "loadbalancer2.keepalived.conf"]
        .map(|name| lab.path(name));
    let files = files.each_ref().map(PathBuf::as_path);
    let beside = imported(&lab, &files, &[&BALANCERS[..], &["--beside-keepalived"]].concat());
    drop(second);
    let ours = Balancer::start(&lab, NODES[1], &beside);
    ours.wait_until_ready();
    std::thread::sleep(Duration::from_secs(5));
    for address in [API, WEB] {
        assert_eq!(ownership.holders(address), [NODES[0]], "it stands by while Keepalived serves");
    }

    take_over(&lab, &ours, &beside, "8s");
    let owns = |node: &'static str| [API, WEB].iter().all(|address| ownership.holders(address) == [node]);
    let taken = eventually("ours own both on trial", Duration::from_secs(7), || owns(NODES[1]));
    figure("migration: apply, ours own after", taken);
    let back = eventually("Keepalived owns both again by itself", Duration::from_secs(25), || owns(NODES[0]));
    figure("migration: not confirmed, Keepalived owns after", back);

    let whole = take_over(&lab, &ours, &beside, "60s");
    eventually("ours own both", Duration::from_secs(7), || owns(NODES[1]));
    ours.expect_ctl(&["confirm"]);
    drop(first);
    let other = Balancer::start(&lab, NODES[0], &whole);
    other.wait_until_ready();
    eventually("the preferred node has both", Duration::from_secs(15), || owns(NODES[0]));
    std::thread::sleep(Duration::from_secs(1));

    for (address, load) in [WEB, API].into_iter().zip(loads) {
        let (record, moments) = (load.stop(), ownership.moments(address));
        assert!(record.attempts().len() > 500, "too few to say so: {}", record.attempts().len());
        let failed = record.failures_not_under_way_at(&moments);
        assert!(failed.is_empty(), "{address}: {failed:#?}, moves at {moments:?}");
    }
}

/// Shows B-35.
#[test]
fn every_sample_of_the_distribution_is_imported_or_refused_by_line() {
    let listed = |directory: &str| {
        let entries =
            std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory}: {error}; run tests/setup"));
        let mut files: Vec<_> =
            entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()).collect();
        files.sort();
        files
    };
    let shipped = Path::new("/etc/haproxy/haproxy.cfg");
    let (haproxy, keepalived) =
        (listed("/usr/share/doc/haproxy/examples"), listed("/usr/share/doc/keepalived/samples"));
    assert!(haproxy.len() > 3 && keepalived.len() > 10, "{haproxy:?} {keepalived:?}");
    let alone = haproxy.iter().map(|sample| (sample, vec![sample.as_path()]));
    let beside = keepalived.iter().map(|sample| (sample, vec![shipped, sample.as_path()]));
    for (sample, files) in alone.chain(beside) {
        let output = run(&files, &BALANCERS);
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}: {}",
            sample.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(report.contains(" lines: "), "{}: {report}", sample.display());
    }
}
