//! Who a client is, told in front of its connection: to a real nginx and a real HAProxy behind the balancer, by a real HAProxy in front of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::lab::Lab;
use fmc_tests::pair::Pair;
use fmc_tests::process::{Process, Spawn};
use fmc_tests::server::Server;

const BEHIND_NGINX: &str = r#"
[frontends.behind-nginx]
vip = "web"
port = 8080
profile = "tcp"
backend = "nginx"

[backends.nginx]
servers = { worker1 = "10.17.4.24:8080" }
proxy_protocol = "v2"
"#;

/// The hypervisor's HAProxy is trusted, and the client is let in whichever way it comes.
const BETWEEN_PROXIES: &str = r#"
[frontends.told]
vip = "web"
port = 8080
profile = "tcp"
accept_proxy = ["192.168.0.40"]
allow = ["192.168.0.50"]
backend = "told"

[backends.told]
servers = { worker1 = "10.17.4.24:8080" }
proxy_protocol = "v2"
"#;

const VIP: &str = "192.168.0.33:8080";

#[test]
fn nginx_reads_the_clients_address_from_the_proxy_header() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let directory = lab.path("nginx");
    std::fs::create_dir_all(&directory).expect("a directory for nginx");
    let file = lab
        .write("nginx.conf", &include_str!("../peers/nginx.conf").replace("@DIRECTORY@", &directory.to_string_lossy()));
    let nginx = Spawn::new("nginx", lab.path("nginx.log")).args(["-c"]).args([&file]);
    let nginx = lab.machine("worker1").spawn(nginx);
    await_listener(&lab);
    let _pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with(BEHIND_NGINX));

    let seen = || lab.client().run(|| ask(VIP).unwrap_or_default());
    eventually("nginx answers through the balancer", Duration::from_secs(5), || seen().contains("200 OK"));
    let (answer, own) = lab.client().run(|| (ask(VIP).expect("nginx answers"), "192.168.0.50"));
    assert!(answer.contains(&format!("client {own} port ")), "nginx saw another client:\n{answer}\n{}", nginx.log());
    assert!(answer.contains("vip 192.168.0.33 port 8080"), "nginx saw another destination:\n{answer}");
}

#[test]
fn a_trusted_haproxy_says_who_the_client_is_and_nobody_else_may() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let back = lab.write("proxy-back.cfg", include_str!("../peers/proxy-back.cfg"));
    let back = lab.machine("worker1").spawn(haproxy(&lab, "back", &back));
    await_listener(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with(BETWEEN_PROXIES));
    let front = lab.write("proxy-front.cfg", include_str!("../peers/proxy-front.cfg"));
    let front = lab.hypervisor().spawn(haproxy(&lab, "front", &front));

    let seen = |at: &'static str| lab.client().run(move || ask(at).unwrap_or_default());
    eventually("HAProxy answers through both", Duration::from_secs(5), || seen("192.168.0.40:8001").contains("200 OK"));
    for (at, expected) in [
        ("192.168.0.40:8001", "client 192.168.0.50 vip 192.168.0.40:8001 unique-id \n"),
        ("192.168.0.40:8002", "client 192.168.0.50 vip 192.168.0.40:8002 unique-id lab-192.168.0.50"),
        (VIP, "client 192.168.0.50 vip 192.168.0.33:8080 unique-id \n"),
    ] {
        let answer = seen(at);
        assert!(answer.contains(expected), "{at}: {expected} is not in\n{answer}\n{}", logs(&front, &back));
    }

    // The front's own checks (LOCAL in version 2, its own address in version 1) pass although its address is not in `allow`.
    let faults = || ["bad-proxy-header", "refused-by-allow-list"].map(|end| ended(&lab, pair.first.node(), end));
    let checks =
        || ["client-closed", "client-reset"].map(|end| ended(&lab, pair.first.node(), end)).iter().sum::<u64>();
    let before = checks();
    eventually("checks of the front come and go", Duration::from_secs(5), || checks() > before + 4);
    assert_eq!(faults(), [0, 0], "and none of them is a fault:\n{}", front.log());

    let bare = seen("192.168.0.40:8003");
    assert!(!bare.contains("200 OK"), "a trusted proxy that names nobody was let in:\n{bare}");
    let forged = lab.client().run(|| say(VIP, "PROXY TCP4 192.168.0.1 192.168.0.33 1 8080\r\nGET / HTTP/1.0\r\n\r\n"));
    assert!(forged.is_err(), "a client says that it is somebody else, and is let in: {forged:?}");
    for ended_by in ["bad-proxy-header", "refused-proxy-header"] {
        eventually(ended_by, Duration::from_secs(2), || ended(&lab, pair.first.node(), ended_by) > 0);
    }
    let log = pair.first.log();
    let line = log.lines().rfind(|line| line.contains("client=192.168.0.50:") && line.contains("via=192.168.0.40:"));
    let line = line.unwrap_or_else(|| panic!("no line names the proxy that a connection came through:\n{log}"));
    assert!(line.contains("backend=told"), "{line}");
}

/// A balancer that starts before its one server listens is unfit, and the other balancer then takes the VIP.
fn await_listener(lab: &Lab) {
    let accepts = || lab.machine("worker1").run(|| TcpStream::connect("10.17.4.24:8080").is_ok());
    eventually("the server on worker1 listens", Duration::from_secs(5), accepts);
}

fn haproxy(lab: &Lab, name: &str, file: &std::path::Path) -> Spawn {
    Spawn::new("haproxy", lab.path(&format!("haproxy-{name}.log"))).args(["-db", "-f"]).args([file])
}

fn logs(front: &Process, back: &Process) -> String {
    format!("front: {}\nback: {}", front.log(), back.log())
}

/// Connections of the frontend `told` that have ended so.
fn ended(lab: &Lab, node: &str, ended_by: &str) -> u64 {
    let metrics = lab.machine(node).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
    let label = format!("ended_by=\"{ended_by}\"");
    let line = metrics.lines().find(|line| line.contains("frontend=\"told\"") && line.contains(&label));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("no {label} in\n{metrics}"))
}

fn ask(at: &str) -> std::io::Result<String> {
    say(at, "GET / HTTP/1.0\r\n\r\n")
}

fn say(at: &str, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
