//! The shipped files mean what they say, and what they mean can be written out and read back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use fmc_config::diagnostic::Code;
use fmc_config::model::Config;
use fmc_config::model::backend::{Backend, Balance};
use fmc_config::model::election::{ChecksumForm, Failback, Password, Transport, Version};
use fmc_config::model::frontend::{Frontend, Profile, WhenNoServer};
use fmc_config::model::health_check::Probe;
use fmc_config::model::vip::Vip;

#[test]
fn flatcar_micro_cloud_is_the_lab_of_the_two_balancers() {
    let config = example("flatcar-micro-cloud");
    assert_eq!(nodes(&config), ["loadbalancer1 192.168.0.30 rank 0", "loadbalancer2 192.168.0.31 rank 1"]);
    assert_eq!(vips(&config), ["api 192.168.0.32 id 32", "web 192.168.0.33 id 33"]);
    assert_eq!(routes(&config, "k8s-api"), ["192.168.0.32:6443 -> server"]);
    assert_eq!(routes(&config, "web"), ["192.168.0.33:80 -> server", "192.168.0.33:443 -> server"]);
    assert_eq!(servers(&config, "masters"), MASTERS_WITH_PORT);
    assert_eq!(servers(&config, "workers"), ["10.17.4.24 [80, 443]", "10.17.4.25 [80, 443]", "10.17.4.26 [80, 443]"]);
    let allow: Vec<_> = frontend(&config, "k8s-api").allow.iter().map(ToString::to_string).collect();
    assert_eq!(allow, ["192.168.0.0/24", "10.17.0.0/16"]);
    assert!(frontend(&config, "web").allow.is_empty());
}

#[test]
fn plan_a_is_the_first_address_plan() {
    let config = example("plan-a");
    assert_eq!(nodes(&config), ["loadbalancer1 192.168.0.11 rank 0", "loadbalancer2 192.168.0.12 rank 1"]);
    assert_eq!(vips(&config), ["api 192.168.0.10 id 10", "web 192.168.0.14 id 14"]);
    assert_eq!(routes(&config, "k8s-api"), ["192.168.0.10:6443 -> server"]);
    assert_eq!(routes(&config, "web"), ["192.168.0.14:80 -> server", "192.168.0.14:443 -> server"]);
    assert_eq!(servers(&config, "masters"), MASTERS_WITH_PORT);
}

#[test]
fn plan_b_has_three_balancers_on_two_networks() {
    let config = example("plan-b");
    assert_eq!(
        nodes(&config),
        ["loadbalancer1 10.17.3.12 rank 0", "loadbalancer2 10.17.3.13 rank 1", "k8s-api-lb 10.17.5.20 rank 2"]
    );
    assert!(config.nodes[0].owns([10, 17, 5, 12].into()) && !config.nodes[2].owns([10, 17, 5, 12].into()));
    assert_eq!(vips(&config), ["api 10.17.5.10 id 10", "web 10.17.5.30 id 30"]);
    for vip in &config.vips {
        let on: Vec<_> = config.nodes.iter().map(|node| vip.interface_on(node).map(|name| name.as_str())).collect();
        assert_eq!(on, [Some("eth1"), Some("eth1"), None], "{}", vip.name);
    }
    assert_eq!(routes(&config, "web"), ["10.17.5.30:80 -> 32591", "10.17.5.30:443 -> 31541"]);
    let workers = ["10.17.4.24 [31541, 32591]", "10.17.4.25 [31541, 32591]", "10.17.4.26 [31541, 32591]"];
    assert_eq!(servers(&config, "workers"), workers);
}

#[test]
fn dual_stack_has_a_vip_of_each_family_and_one_election_for_both() {
    let config = example("dual-stack");
    assert_eq!(
        vips(&config),
        ["api 192.168.0.32 id 32", "api6 fd00::32 id 32", "web 192.168.0.33 id 33", "web6 fd00::33 id 33"]
    );
    let elected: Vec<_> = config.vips.iter().map(|vip| vip.elected_as().as_str()).collect();
    assert_eq!(elected, ["api", "api", "web", "web"]);
    assert_eq!(routes(&config, "web6"), ["fd00::33:80 -> server", "fd00::33:443 -> server"]);
    assert_eq!(servers(&config, "masters"), MASTERS_WITH_PORT);
}

#[test]
fn minimal_is_a_whole_pair_in_fifteen_lines() {
    assert!(text("minimal").lines().count() <= 15);
    let config = example("minimal");
    assert_eq!(config.nodes.len(), 2);
    assert_eq!(vips(&config), ["api 192.168.0.32 id 32"]);
    assert_eq!(servers(&config, "masters"), ["10.17.4.21 [6443]", "10.17.4.22 [6443]", "10.17.4.23 [6443]"]);
}

#[test]
fn no_shipped_file_has_a_warning() {
    for name in EXAMPLES {
        let (_, warnings) = Config::parse_with_warnings(&text(name), name).unwrap();
        assert!(warnings.is_empty(), "{name}: {warnings}");
    }
}

#[test]
fn the_k8s_api_profile_never_cuts_a_watch_and_resets_when_no_master_lives() {
    let config = example("minimal");
    let api = frontend(&config, "k8s-api");
    assert_eq!((api.profile, api.idle_timeout, api.when_no_server), (Profile::K8sApi, None, WhenNoServer::Reset));
    let keepalive = (api.keepalive.idle, api.keepalive.interval, api.keepalive.count);
    assert_eq!(keepalive, (Duration::from_secs(30), Duration::from_secs(10), 3));
    assert_eq!(api.user_timeout, Duration::from_secs(30));
    let masters = backend(&config, "masters");
    assert_eq!(masters.balance, Balance::LeastConnections);
    assert!(matches!(&masters.check.probe, Probe::K3sApi(probe) if probe.token_file.is_none()));
    let check = &masters.check;
    assert_eq!((check.interval, check.fast_interval), (Duration::from_secs(2), Duration::from_millis(300)));
    assert_eq!((check.timeout, check.rise, check.fall), (Duration::from_secs(1), 2, 3));
}

#[test]
fn two_silent_servers_cost_a_new_client_less_than_a_second() {
    let config = example("flatcar-micro-cloud");
    for backend in &config.backends {
        assert!(backend.connect_timeout * 2 < Duration::from_secs(1), "{}", backend.name);
        assert_eq!(backend.attempts, 3);
    }
}

#[test]
fn the_web_cannot_take_the_connections_of_the_api() {
    let config = example("flatcar-micro-cloud");
    let all: u32 = config.frontends.iter().map(|frontend| frontend.max_connections).sum();
    assert!(all <= config.limits.max_connections);
}

#[test]
fn traefik_ends_an_idle_connection_before_the_balancer_does() {
    let config = example("flatcar-micro-cloud");
    assert!(frontend(&config, "web").idle_timeout.unwrap() > Duration::from_secs(180));
    assert_eq!(backend(&config, "workers").balance, Balance::RoundRobin);
    assert_eq!(backend(&config, "workers").check.probe, Probe::Tcp);
}

#[test]
fn the_election_is_standard_when_nothing_is_said_and_fast_when_asked() {
    let election = example("minimal").election;
    assert_eq!(election.interval.duration(), Duration::from_millis(100));
    assert_eq!((election.failback, election.priority), (Failback::Never, 254));
    assert_eq!(election.version, Version::V3(ChecksumForm::PseudoHeader));
    assert_eq!(election.transport, Transport::Multicast);
    let with = |lines: &str| parse(&format!("{}\n[election]\n{lines}\n", text("minimal"))).election;
    assert_eq!(with("profile = \"fast\"").interval.get(), 2);
    assert_eq!(with("profile = \"fast\"\nadvertisement_interval = \"1s\"").interval.get(), 100);
    assert_eq!(with("advertisement_interval = \"40.95s\"").interval.get(), 4095);
    assert_eq!(with("failback = \"after 10m\"").failback, Failback::After(Duration::from_secs(600)));
    assert_eq!(with("checksum = \"message\"\npriority = 9").version, Version::V3(ChecksumForm::Message));
    assert_eq!(with("transport = \"unicast\"").transport, Transport::Unicast);
}

#[test]
fn compat_is_version_2_at_a_second_with_the_password_of_keepalived() {
    let with =
        |lines: &str| parse(&format!("{}\n[election]\nprofile = \"compat\"\n{lines}\n", text("minimal"))).election;
    assert_eq!((with("").version, with("").interval.get()), (Version::V2(None), 100));
    let password = Password::new("labpair").unwrap();
    assert_eq!(with("password = \"labpair\"").version, Version::V2(Some(password)));
    assert_eq!(password.octets(), b"labpair\0");
    assert_eq!(format!("{:?}", with("password = \"labpair\"").version), "V2(Some(Password(..)))");
}

#[test]
fn a_map_of_the_frontend_rules_over_the_port_it_listens_on() {
    let ports = |line: &str| {
        let config = parse(&text("minimal").replace("port = 6443", line));
        backend(&config, "masters").servers[0].serving_ports.iter().map(|port| port.get()).collect::<Vec<_>>()
    };
    assert_eq!(ports("port = 7443"), [7443]);
    assert_eq!(ports("ports = { 443 = 6443, 6443 = 6443 }"), [6443]);
    assert_eq!(ports("ports = [443, 6443]"), [443, 6443]);
}

#[test]
fn one_interval_shrinks_the_default_of_the_fast_one() {
    let config = parse(&format!("{}check = {{ interval = \"200ms\" }}\n", text("minimal")));
    assert_eq!(backend(&config, "masters").check.fast_interval, Duration::from_millis(200));
}

#[test]
fn a_backend_may_choose_its_own_profile() {
    let other = "[frontends.other]\nvip = \"api\"\nport = 443\nbackend = \"masters\"\n";
    let source = text("minimal").replace("servers", "profile = \"tcp\"\nservers");
    let config = parse(&format!("{source}\n{other}"));
    assert_eq!(backend(&config, "masters").check.probe, Probe::Tcp);
    assert_eq!(Config::parse(&config.effective(), "effective").unwrap(), config);
}

#[test]
fn two_routers_may_share_an_id_only_on_networks_known_to_differ() {
    let second = |interface: &str| {
        let vip = format!("{interface}\naddress = \"10.17.5.32\"\n");
        let frontend = "[frontends.b]\nvip = \"b\"\nport = 1\nbackend = \"masters\"\nprofile = \"k8s-api\"\n";
        let source = text("minimal").replace("api = \"192.168.0.32\"", "");
        format!("{source}\n[vips.api]\naddress = \"192.168.0.32\"\ninterface = \"eth0\"\n[vips.b]\n{vip}{frontend}")
    };
    assert!(Config::parse(&second("interface = \"eth1\""), "x").is_ok());
    for same in ["interface = \"eth0\"", "", "interface = { loadbalancer1 = \"eth1\" }"] {
        let found = Config::parse(&second(same), "x").unwrap_err();
        let codes: Vec<_> = found.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [Code::VirtualRouterIdTaken], "{same:?}: {found}");
    }
}

#[test]
fn every_way_to_choose_a_server_is_read_and_written_out() {
    for (word, balance) in [
        ("round-robin", Balance::RoundRobin),
        ("least-connections", Balance::LeastConnections),
        ("power-of-two", Balance::PowerOfTwo),
        ("source-hash", Balance::SourceHash),
        ("first", Balance::First),
    ] {
        let limits = "servers = { a = { address = \"10.17.4.21\", max_connections = 2000 }, b = \"10.17.4.22\" }";
        let frontends = text("minimal").split("[backends").next().unwrap().to_owned();
        let config = parse(&format!("{frontends}[backends.masters]\nbalance = \"{word}\"\n{limits}\n"));
        assert_eq!(backend(&config, "masters").balance, balance);
        assert_eq!(Config::parse(&config.effective(), "effective").unwrap(), config);
    }
}

#[test]
fn an_unused_backend_is_left_out_with_a_warning() {
    let source = format!("{}\n[backends.workers]\nservers = {{ w = \"10.17.4.24\" }}\n", text("minimal"));
    let (config, warnings) = Config::parse_with_warnings(&source, "x").unwrap();
    assert_eq!(config.backends.len(), 1);
    assert_eq!(warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), [Code::UnusedBackend]);
}

#[test]
fn every_example_written_out_is_read_back_equal() {
    for name in EXAMPLES {
        let config = example(name);
        let written = config.effective();
        let read = Config::parse(&written, "effective").unwrap_or_else(|found| panic!("{found}\n{written}"));
        assert_eq!(read, config, "{written}");
        assert_eq!(read.effective(), written);
    }
}

#[test]
fn a_file_that_says_everything_is_read_and_written_out() {
    let config = parse(include_str!("everything.toml"));
    assert_eq!(Config::parse(&config.effective(), "effective").unwrap(), config);
    let api = frontend(&config, "api");
    assert_eq!((api.max_connections, api.when_no_server), (500, WhenNoServer::Close));
    assert_eq!(api.idle_timeout, Some(Duration::from_secs(600)));
    let Probe::Https(https) = &backend(&config, "one.two").check.probe else { panic!("not https") };
    assert_eq!((https.path.as_str(), https.expect), ("/ping?a=\"%20'", (200, 204)));
    assert_eq!(https.tls.server_name.as_deref(), Some("kubernetes.default.svc"));
    let weights: Vec<_> = backend(&config, "one.two").servers.iter().map(|server| server.weight.get()).collect();
    assert_eq!(weights, [0, 256, 1, 1]);
    let own: Vec<_> =
        backend(&config, "one.two").servers.iter().map(|s| (s.max_connections.map(u32::from), s.backup)).collect();
    assert_eq!(own, [(None, false), (None, false), (Some(800), false), (None, true)]);
    assert_eq!(backend(&config, "one.two").balance, Balance::SourceHash);
    let on_node: Vec<_> = config.admin.listen.iter().map(|listen| listen.on("192.168.0.30".parse().unwrap())).collect();
    assert_eq!(on_node[2], "192.168.0.30:9112".parse().unwrap());
    assert_eq!(config.pair.port.get(), 1113);
}

const EXAMPLES: [&str; 5] = ["flatcar-micro-cloud", "plan-a", "plan-b", "dual-stack", "minimal"];
const MASTERS_WITH_PORT: [&str; 3] = ["10.17.4.21:6443 [6443]", "10.17.4.22:6443 [6443]", "10.17.4.23:6443 [6443]"];

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).with_extension("toml");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn example(name: &str) -> Config {
    parse(&text(name))
}

fn parse(source: &str) -> Config {
    Config::parse(source, "test").unwrap_or_else(|found| panic!("{}", found.render(false)))
}

fn nodes(config: &Config) -> Vec<String> {
    config.nodes.iter().map(|node| format!("{} {} rank {}", node.name, node.address, node.rank)).collect()
}

fn vips(config: &Config) -> Vec<String> {
    let words = |Vip { name, address, virtual_router_id, .. }: &Vip| format!("{name} {address} id {virtual_router_id}");
    config.vips.iter().map(words).collect()
}

fn routes(config: &Config, name: &str) -> Vec<String> {
    let frontend = frontend(config, name);
    let server = |port: Option<std::num::NonZeroU16>| port.map_or("server".to_owned(), |port| port.to_string());
    let ports = frontend.ports.iter();
    ports.map(|port| format!("{}:{} -> {}", frontend.address, port.listen, server(port.server))).collect()
}

fn servers(config: &Config, name: &str) -> Vec<String> {
    let port = |port: Option<std::num::NonZeroU16>| port.map_or(String::new(), |port| format!(":{port}"));
    let servers = backend(config, name).servers.iter();
    servers.map(|server| format!("{}{} {:?}", server.address, port(server.port), server.serving_ports)).collect()
}

fn frontend<'a>(config: &'a Config, name: &str) -> &'a Frontend {
    let by_name: BTreeMap<_, _> = config.frontends.iter().map(|frontend| (frontend.name.as_str(), frontend)).collect();
    by_name[name]
}

fn backend<'a>(config: &'a Config, name: &str) -> &'a Backend {
    let by_name: BTreeMap<_, _> = config.backends.iter().map(|backend| (backend.name.as_str(), backend)).collect();
    by_name[name]
}
