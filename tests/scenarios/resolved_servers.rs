//! Servers that are typed with a name: the DNS tells where they are, and may change its mind, fall silent and come back.

use std::time::Duration;

use fmc_api::backends::NameStatus;
use fmc_api::word::Health;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::Target;
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::{Pair, WEB};
use fmc_tests::process::{Process, Spawn};
use fmc_tests::server::Server;
use fmc_tests::stream::Streams;
use nix::sys::signal::Signal;

const PATIENCE: Duration = Duration::from_secs(8);
/// A question that gets no answer lasts 3 s, and the pause behind it up to 30 s.
const FOUND_WITHIN: Duration = Duration::from_secs(40);

/// The lab's own resolver, on the machine that routes.
struct Resolver<'lab> {
    lab: &'lab Lab,
    process: Option<Process>,
}

impl<'lab> Resolver<'lab> {
    /// Nobody answers yet.
    fn silent(lab: &'lab Lab) -> Self {
        Self { lab, process: None }
    }

    fn start(&mut self) {
        let file = self.lab.path("zone.hosts");
        let spawn = Spawn::new("dnsmasq", self.lab.path("dnsmasq.log"))
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--port=5353",
                "--no-resolv",
                "--no-hosts",
                "--local=/lab.internal/",
            ])
            .args(["--user=root", "--local-ttl=1", "--pid-file=", "--log-facility=-", "--log-queries"])
            .args([format!("--addn-hosts={}", file.display())]);
        self.process = Some(self.lab.hypervisor().spawn(spawn));
    }

    /// The addresses of `web.lab.internal` from now on.
    fn tell(&self, addresses: &[&str]) {
        let lines: Vec<String> = addresses.iter().map(|address| format!("{address} web.lab.internal\n")).collect();
        self.lab.write("zone.hosts", &lines.concat());
        if let Some(process) = &self.process {
            process.signal(Signal::SIGHUP);
        }
    }

    fn die(&mut self) {
        self.process = None;
    }
}

/// `worker1` by its address, and whoever `web.lab.internal` is.
fn configuration() -> Configuration {
    let typed = "worker2 = \"10.17.4.25\"";
    let by_name = "web = { address = \"web.lab.internal\", records = 4 }";
    let dns = "[dns]\nresolvers = [\"192.168.0.40:5353\"]\nmin_ttl = \"1s\"\nmax_ttl = \"1s\"\n";
    Configuration::flatcar_micro_cloud()
        .with_streams()
        .replace(typed, by_name)
        .replace(", worker3 = \"10.17.4.26\"", "")
        .with(dns)
}

fn name(pair: &Pair<'_>) -> NameStatus {
    let backends = pair.first.backends().backends;
    backends.into_iter().flat_map(|backend| backend.names).next().expect("a server with a name")
}

fn servers(pair: &Pair<'_>) -> Vec<String> {
    let backends = pair.first.backends().backends;
    let workers = backends.iter().filter(|backend| backend.name.as_str() == "workers").flat_map(|it| &it.servers);
    workers.filter(|server| server.health == Health::Healthy).map(|server| server.name.to_string()).collect()
}

fn wait_for_servers(pair: &Pair<'_>, wanted: &[&str]) -> Duration {
    eventually(&format!("the servers are {wanted:?}"), FOUND_WITHIN, || servers(pair) == wanted)
}

#[test]
fn a_name_leads_to_its_servers_wherever_they_are_and_nobody_notices_when_the_dns_dies() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut resolver = Resolver::silent(&lab);
    let pair = Pair::start(&lab, &configuration());
    let status = || pair.first.expect_ctl(&["status"]);

    // Nobody answers: the service is up, the server down, and that is said.
    eventually("it is said that nobody answers", PATIENCE, || status().contains("web.lab.internal has no address"));
    assert!(name(&pair).addresses.is_empty() && name(&pair).failure.is_some());
    assert_eq!(servers(&pair), ["worker1"]);
    let claims = pair.ownership.claims(WEB);
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(10));

    // Somebody does, and names two.
    resolver.tell(&["10.17.4.26", "10.17.4.25"]);
    resolver.start();
    let known = wait_for_servers(&pair, &["worker1", "web-10.17.4.25", "web-10.17.4.26"]);
    figure("dns: a resolver comes, its servers are in service after", known);
    eventually("the alarm is over", PATIENCE, || !status().contains("web.lab.internal"));

    // Resolvers rotate what they say; that is no change.
    let said = |what: &str| pair.first.expect_ctl(&["events"]).matches(what).count();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(said("the name is "), 1, "{}", pair.first.expect_ctl(&["events"]));

    // One of them moves away. What is open to it goes on, what comes goes elsewhere.
    let streams = Streams::open(lab.client(), "192.168.0.33:7", 6, Duration::from_millis(200));
    resolver.tell(&["10.17.4.26"]);
    figure(
        "dns: a server has left the zone, and gets nothing new after",
        wait_for_servers(&pair, &["worker1", "web-10.17.4.26"]),
    );
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(streams.alive(), 6, "a stream was cut");

    // The resolver dies: the last answer stays.
    resolver.die();
    eventually("it is said that the resolver is silent", PATIENCE, || {
        status().contains("web.lab.internal is not answered")
    });
    assert_eq!(servers(&pair), ["worker1", "web-10.17.4.26"]);
    let metrics = lab.machine(pair.first.node()).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
    assert!(metrics.contains("fmc_dns_addresses{name=\"web.lab.internal\"} 1"), "{metrics}");
    assert!(metrics.contains("fmc_dns_queries_total{outcome=\"failed\"}"), "{metrics}");

    // It comes back, and tells of another machine.
    resolver.tell(&["10.17.4.25"]);
    resolver.start();
    eventually("the other machine is found", FOUND_WITHIN, || servers(&pair) == ["worker1", "web-10.17.4.25"]);
    let ends = streams.close();
    assert!(ends.iter().all(|end| end.cut.is_none()), "{ends:?}");
    load.stop().assert_all_served();
    assert_eq!(pair.ownership.claims(WEB), claims, "the DNS has moved an address");
}
