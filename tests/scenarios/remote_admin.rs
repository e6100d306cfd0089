//! Administration over the network: who is let in, who is obeyed, what a wrong one meets, and that no secret is shown.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Output;
use std::time::{Duration, Instant};

use fmc_api::word::AdminState;
use fmc_tests::balancer::Balancer;
use fmc_tests::browser::Browser;
use fmc_tests::certificate::{Authority, Certificate};
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::lab::Lab;
use fmc_tests::pair::{NODES, Pair};
use fmc_tests::server::Server;

const URL: &str = "https://192.168.0.30:9110";
const OPS: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const NEW: &str = "a0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e9f";
const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";
const SOON: Duration = Duration::from_secs(10);

/// A lab whose first node may be administered from the client.
struct Site {
    lab: Lab,
    authority: Authority,
    certificate: Certificate,
}

impl Site {
    fn new() -> Self {
        let (lab, authority) = (Lab::flatcar_micro_cloud(), Authority::new());
        let certificate = authority.sign(&lab, "admin", &["192.168.0.30".to_owned(), "192.168.0.31".to_owned()]);
        lab.write("ca.crt", &authority.pem());
        lab.write("admin.tokens", &format!("# operators\nops {OPS}\n"));
        Self { lab, authority, certificate }
    }

    /// `more`: further lines of `[admin.remote]`.
    fn configuration(&self, more: &str) -> Configuration {
        let Certificate { certificate, key } = &self.certificate;
        Configuration::flatcar_micro_cloud().with_key(&self.lab, KEY).with(&format!(
            "[admin.remote]\ncert_file = {certificate:?}\nkey_file = {key:?}\nallow = [\"192.168.0.50/32\"]\n{more}\n"
        ))
    }

    fn with_tokens(&self) -> Configuration {
        self.configuration(&format!("token_file = {:?}", self.lab.path("admin.tokens")))
    }

    /// The tool on the client's machine, with `token` and `more` words.
    fn ctl(&self, token: &str, more: &[&str]) -> Output {
        let [ca, file] =
            [self.lab.path("ca.crt"), self.lab.write("typed.token", token)].map(|path| path.display().to_string());
        let words = ["--remote", URL, "--ca", &ca, "--token-file", &file];
        let tool = fmc_tests::binaries::product("fmc-lbctl").display().to_string();
        self.lab.client().output(&tool, &[&words[..], more].concat())
    }

    /// A command as somebody without the tool would send it; the status and the body.
    fn curl(&self, more: &[&str]) -> String {
        let ca = self.lab.path("ca.crt").display().to_string();
        let body = "{\"target\":\"workers/worker1\"}";
        let words = ["-sS", "--max-time", "10", "--cacert", &ca, "-w", " %{http_code}", "-d", body];
        let url = format!("{URL}/v1/drain");
        let output = self.lab.client().output("curl", &[&words[..], more, &[&url]].concat());
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn worker1(node: &Balancer<'_>) -> AdminState {
    let backends = node.backends().backends;
    let servers = backends.iter().flat_map(|backend| &backend.servers);
    servers.clone().find(|server| server.name.as_str() == "worker1").expect("the lab has a worker1").admin
}

fn metric(site: &Site, reason: &str) -> u64 {
    let page = site.lab.machine(NODES[0]).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
    let name = format!("fmc_admin_remote_refused_total{{reason=\"{reason}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |value| value.parse().expect("a number"))
}

#[test]
fn an_operator_with_a_token_commands_both_nodes_from_elsewhere_and_nobody_else_does() {
    let site = Site::new();
    let _masters = Server::masters(&site.lab, &Authority::new());
    let _workers = Server::workers(&site.lab);
    let pair = Pair::start(&site.lab, &site.with_tokens());
    let node = &pair.first;

    let look = site.ctl("", &["status"]);
    assert!(!look.status.success() && said(&look).contains("holds no token"), "{}", said(&look));
    assert!(said(&site.ctl(OPS, &["status"])).contains("loadbalancer1"), "{}", said(&site.ctl(OPS, &["status"])));
    let drained = site.ctl(OPS, &["drain", "workers/worker1", "--yes"]);
    assert!(drained.status.success(), "{}", said(&drained));
    assert_eq!([worker1(node), worker1(&pair.second)], [AdminState::Drain; 2], "both nodes do it");
    let trace =
        "over the network, ops from 192.168.0.50 commands drain {\"dry_run\":false,\"target\":\"workers/worker1\"}";
    assert!(node.expect_ctl(&["events"]).contains(trace), "{}", node.expect_ctl(&["events"]));
    assert!(site.ctl(&format!("ops {OPS}"), &["undo", "--yes"]).status.success(), "a line of the token file does too");
    assert_eq!(worker1(node), AdminState::Ready);
    let moved = site.ctl(OPS, &["failover", "web", "--yes"]);
    assert!(moved.status.success(), "{}", said(&moved));
    pair.ownership.wait_for(NODES[1], "192.168.0.33", SOON);

    // Wrong ones: each is told why, counted, and changes nothing.
    for (words, says) in [
        (&[][..], "a command needs a token"),
        (&["-H", "Authorization: Bearer wrong"][..], "this token is not known"),
        (&["-H", &format!("Authorization: Basic {OPS}")][..], "this token is not known"),
        (
            &["-H", &format!("Authorization: Bearer {OPS}"), "-H", "Origin: https://evil.example"][..],
            "a page of another site",
        ),
    ] {
        let answer = site.curl(words);
        assert!(answer.contains(says) && answer.ends_with(" 403"), "{words:?}: {answer}");
    }
    assert_eq!((metric(&site, "token"), metric(&site, "origin")), (3, 1));
    let own =
        site.ctl(OPS, &["apply", &site.with_tokens().write(&site.lab, "next.toml").display().to_string(), "--yes"]);
    assert!(!own.status.success() && said(&own).contains("on the node"), "{}", said(&own));
    for path in ["/v1/configuration", "/v1/pair", "/v1/pair/administrative"] {
        let ca = site.lab.path("ca.crt").display().to_string();
        let asked = ["-sS", "--cacert", &ca, "-H", "fmc-lb-nodes: node loadbalancer2", &format!("{URL}{path}")];
        let answer = site.lab.client().expect("curl", &asked);
        assert!(answer.contains("not-found"), "{path} is not for those outside, on the other node neither: {answer}");
    }
    assert_eq!(worker1(node), AdminState::Ready, "nothing of that has changed anything");

    // The plain page takes no command, whatever is sent with it.
    let plain = site.lab.machine(NODES[0]).output(
        "curl",
        &[
            "-sS",
            "-d",
            "{\"target\":\"workers/worker1\"}",
            "-H",
            &format!("Authorization: Bearer {OPS}"),
            "http://127.0.0.1:9109/v1/drain",
        ],
    );
    assert!(said(&plain).contains("commands are not taken here"), "{}", said(&plain));
    // And somebody whom `allow` does not name is not even shaken hands with.
    let stranger = site.lab.machine("worker2").output("curl", &["-sk", "--max-time", "3", &format!("{URL}/v1/status")]);
    assert!(!stranger.status.success() && metric(&site, "source") > 0, "{}", said(&stranger));

    no_secret_is_shown(&site, node);
}

/// Neither in what the node tells, nor in what it writes, nor in what is sent to support.
fn no_secret_is_shown(site: &Site, node: &Balancer<'_>) {
    let bundle = site.lab.path("bundle.tar.gz").display().to_string();
    node.expect_ctl(&["bundle", "--output", &bundle]);
    let unpacked = site.lab.machine(NODES[0]).expect("tar", &["-xzOf", &bundle]);
    let shown = [node.log(), node.expect_ctl(&["events"]), node.expect_ctl(&["--json", "status"]), unpacked].concat();
    let key = std::fs::read_to_string(&site.certificate.key).expect("the key");
    for secret in [OPS, key.lines().nth(1).expect("a line of the key")] {
        assert!(!shown.contains(secret), "a secret is shown");
    }
}

#[test]
fn a_guesser_is_shut_out_and_a_token_is_replaced_by_a_reload() {
    let site = Site::new();
    let balancer = Balancer::start(&site.lab, NODES[0], &site.with_tokens());
    balancer.wait_until_up();
    for _ in 0..10 {
        assert!(site.curl(&["-H", "Authorization: Bearer guess"]).contains("not known"));
    }
    let right = site.curl(&["-H", &format!("Authorization: Bearer {OPS}")]);
    assert!(right.contains("too many wrong tokens") && metric(&site, "locked") == 1, "{right}");
    assert!(balancer.log().contains("the address is shut out for a minute"), "{}", balancer.log());

    // From a clean start: a new token, the old one gone; then a file that is wrong changes nothing.
    drop(balancer);
    let balancer = Balancer::start(&site.lab, NODES[0], &site.with_tokens());
    balancer.wait_until_up();
    let reload = || balancer.ctl(&["reload", "--yes"]);
    site.lab.write("admin.tokens", &format!("ops {NEW}\n"));
    assert!(reload().status.success(), "{}", said(&reload()));
    assert!(site.ctl(NEW, &["probe", "workers/worker1"]).status.code() != Some(2), "the new one is known");
    assert!(said(&site.ctl(OPS, &["probe", "workers/worker1"])).contains("not known"), "the old one is not");
    site.lab.write("admin.tokens", "ops short\n");
    let wrong = reload();
    assert!(!wrong.status.success() && said(&wrong).contains("entry 1 is not a name and a token"), "{}", said(&wrong));
    assert!(said(&site.ctl(NEW, &["probe", "workers/worker1"])).contains("worker1"), "what was in force stays");
}

#[test]
fn a_client_certificate_is_asked_for_and_one_of_another_authority_or_of_the_past_is_refused() {
    let site = Site::new();
    site.lab.write("operators.crt", &site.authority.pem());
    let ca = format!("client_ca_file = {:?}", site.lab.path("operators.crt"));
    let balancer = Balancer::start(&site.lab, NODES[0], &site.configuration(&ca));
    balancer.wait_until_up();
    let own = site.authority.sign(&site.lab, "operator", &["operator".to_owned()]);
    let strange = Authority::new().sign(&site.lab, "stranger", &["operator".to_owned()]);
    let expired = site.authority.sign_expired(&site.lab, "expired", &["operator".to_owned()]);
    let shown = |Certificate { certificate, key }: &Certificate| {
        site.curl(&["--cert", &certificate.display().to_string(), "--key", &key.display().to_string()])
    };
    let done = shown(&own);
    assert!(done.ends_with(" 200"), "{done}");
    assert!(balancer.expect_ctl(&["events"]).contains("certificate "), "its fingerprint is the trace");
    for refused in [site.curl(&[]), shown(&strange), shown(&expired)] {
        assert!(refused.contains("000") && refused.contains("curl:"), "{refused}");
    }
    eventually("each was counted", SOON, || metric(&site, "handshake") >= 3);
}

#[test]
fn a_slow_a_large_and_a_replayed_request_get_nowhere_and_hold_nobody_up() {
    let site = Site::new();
    let balancer = Balancer::start(&site.lab, NODES[0], &site.with_tokens());
    balancer.wait_until_up();
    // Silent ones, as many as an address may have: they are let go after the time of a handshake.
    let silent: Vec<TcpStream> = site
        .lab
        .client()
        .run(|| (0..16).map(|_| TcpStream::connect("192.168.0.30:9110").expect("a connection")).collect());
    let over = site.curl(&[]);
    assert!(over.contains("curl:"), "the seventeenth of an address is closed at once: {over}");
    assert!(site.lab.machine(NODES[0]).output("curl", &["-fsS", "http://127.0.0.1:9109/healthz"]).status.success());
    let began = Instant::now();
    for mut stream in silent {
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        assert!(matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_)), "nothing is said to a silent one");
    }
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());

    let large =
        site.lab.write("large.json", &format!("{{\"target\":\"{}\"}}", "x".repeat(64 * 1024))).display().to_string();
    let bearer = format!("Authorization: Bearer {OPS}");
    let answer = site.curl(&["-H", &bearer, "--data-binary", &format!("@{large}")]);
    // The node closes what it will not read; who still sends then may miss the answer.
    let is_refused = answer.contains("the body is over 16 KiB or broken") || answer.contains("curl: (55)");
    assert!(is_refused && !answer.ends_with(" 200"), "{answer}");
    let slow = site.curl(&["-H", &bearer, "-H", "Content-Length: 1000", "-H", "Expect:"]);
    let ended = slow.contains("did not come in time") || slow.contains("curl:");
    assert!(ended && !slow.contains("curl: (28)"), "the node waits for as long as the client does: {slow}");
    let lines = |number| format!("X-Long-{number}: {}\n", "x".repeat(60 * 1024));
    let head = site.lab.write("head", &(0..16).map(lines).collect::<String>()).display().to_string();
    let long = site.curl(&["-H", &bearer, "-H", &format!("@{head}")]);
    assert!(long.contains("431") || long.contains("curl: (5"), "a head of a megabyte is not read: {long}");
    assert_eq!(worker1(&balancer), AdminState::Ready, "a request that was not taken in did something");

    let refused = metric(&site, "handshake");
    let old = site.curl(&["-H", &bearer, "--tls-max", "1.2"]);
    assert!(old.contains("curl: (35)"), "{old}");
    assert!(metric(&site, "handshake") > refused, "a handshake of TLS 1.2 is counted");

    let recorded = record(&site, &bearer);
    assert_eq!(worker1(&balancer), AdminState::Drain, "what was recorded was a command that was obeyed");
    balancer.expect_ctl(&["ready", "workers/worker1", "--yes"]);
    site.lab.client().run(|| say_again(&recorded));
    assert_eq!(worker1(&balancer), AdminState::Ready, "said again it is nothing");
}

/// What the client's side of a command looks like to somebody on the way.
fn record(site: &Site, bearer: &str) -> Vec<u8> {
    let between = site.lab.client().run(|| TcpListener::bind("127.0.0.1:9999").expect("a free port"));
    let recorder = site.lab.client().thread(move || {
        let (mut client, _) = between.accept().expect("the client");
        let mut node = TcpStream::connect("192.168.0.30:9110").expect("the node");
        let (mut answers, mut to_client) = (node.try_clone().expect("a handle"), client.try_clone().expect("a handle"));
        let back = std::thread::spawn(move || std::io::copy(&mut answers, &mut to_client));
        let mut recorded = Vec::new();
        let mut octets = [0; 4096];
        while let Ok(count @ 1..) = client.read(&mut octets) {
            recorded.extend_from_slice(&octets[..count]);
            node.write_all(&octets[..count]).expect("a write");
        }
        let _ended = (node.shutdown(Shutdown::Both), back.join());
        recorded
    });
    let done = site.curl(&["--connect-to", "192.168.0.30:9110:127.0.0.1:9999", "-H", bearer]);
    assert!(done.ends_with(" 200"), "{done}");
    recorder.join().expect("a record")
}

/// TLS 1.3 without early data: the node wants its own, fresh share of the key in the answer.
fn say_again(recorded: &[u8]) {
    let mut stream = TcpStream::connect("192.168.0.30:9110").expect("a connection");
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    stream.write_all(recorded).expect("a write");
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    assert!(ended.is_err() || !answer.is_empty(), "the node answers the hello and ends: {ended:?}");
}

#[test]
fn the_page_acts_over_tls_after_it_has_said_what_that_cuts() {
    let site = Site::new();
    let _masters = Server::masters(&site.lab, &Authority::new());
    let _workers = Server::workers(&site.lab);
    let pair = Pair::start(&site.lab, &site.with_tokens());
    let browser = Browser::start(&site.lab, site.lab.client());
    browser.open(&format!("{URL}/"));
    eventually("the page lives", SOON, || browser.text("#backends").contains("worker1"));
    browser.run("document.getElementById('act-open').click();");
    let choose = |what: &str, of: &str| {
        browser.run(&format!(
            "const what = document.getElementById('act-what'), of = document.getElementById('act-of'); \
             what.value = '{what}'; what.dispatchEvent(new Event('change')); of.value = '{of}'; of.dispatchEvent(new Event('change'));"
        ));
    };
    let can_do = || browser.run("return !document.getElementById('act-do').disabled;") == true;
    let click = |id: &str| browser.run(&format!("document.getElementById('{id}').click();"));

    choose("drain", "workers/worker1");
    click("act-look");
    eventually("without a token it says so", SOON, || browser.text("#act-said").contains("a command needs a token"));
    assert!(!can_do());
    browser.run(&format!("document.getElementById('act-token').value = '{OPS}';"));
    click("act-look");
    eventually("it says what would be", SOON, || browser.text("#act-said").contains("ready → drain") && can_do());
    assert_eq!(worker1(&pair.first), AdminState::Ready, "asked, not done");
    click("act-do");
    eventually("it is done", SOON, || browser.text("#act-said").contains("Done."));
    assert_eq!([worker1(&pair.first), worker1(&pair.second)], [AdminState::Drain; 2]);

    choose("failover", "api");
    assert!(!can_do(), "another choice has to be asked about anew");
    click("act-look");
    eventually("what a move would cut", SOON, || browser.text("#act-said").contains("api: would move"));
    click("act-do");
    pair.ownership.wait_for(NODES[1], "192.168.0.32", SOON);
    browser.screenshot(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/browser/act.png")));
    let refused: Vec<String> = browser.console().into_iter().filter(|line| !line.contains("403")).collect();
    assert_eq!(refused, [""; 0], "the console of the page has nothing but the refusal that was provoked");
}
