//! Several TLS services on one address and port: rustls and OpenSSL as clients, OpenSSL as every server, and nothing is decrypted between.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::lab::Lab;
use fmc_tests::link::ip_batch;
use fmc_tests::openssl;
use fmc_tests::pair::Pair;
use fmc_tests::server::Server;
use rustls::pki_types::ServerName;

const ROUTES: &str = r#"
[frontends.tls]
vip = "web"
port = 8443
profile = "traefik-web"
routes = [
    { alpn = ["acme-tls/1"], backend = "acme" },
    { server_names = ["grafana.lab"], backend = "grafana" },
    { server_names = ["*.apps.lab"], backend = "apps" },
    { sources = ["192.168.0.51"], backend = "apps" },
]
backend = "default"

[backends]
default = { servers = { worker1 = "10.17.4.24:8443" } }
grafana = { servers = { worker2 = "10.17.4.25:8443" } }
apps = { servers = { worker3 = "10.17.4.26:8443" } }
acme = { servers = { worker1 = "10.17.4.24:9443" } }
"#;

const VIP: &str = "192.168.0.33:8443";

/// Where each service is, and the name in its certificate.
const SERVICES: [(&str, &str, &str); 4] = [
    ("worker1", "10.17.4.24:8443", "default.lab"),
    ("worker2", "10.17.4.25:8443", "grafana.lab"),
    ("worker3", "10.17.4.26:8443", "*.apps.lab"),
    ("worker1", "10.17.4.24:9443", "acme.lab"),
];

#[test]
fn each_name_reaches_its_own_servers_and_what_names_nobody_the_default() {
    let lab = Lab::flatcar_micro_cloud();
    let authority = Authority::new();
    let _masters = Server::masters(&lab, &authority);
    let _workers = Server::workers(&lab);
    let mut services = SERVICES.map(|(machine, at, name)| openssl::serve(&lab, &authority, machine, at, name));
    let web = "profile = \"traefik-web\"\nroutes = [{ server_names = [\"grafana.lab\"], backend = \"grafana\" }]\n";
    let configuration = Configuration::flatcar_micro_cloud().replace("profile = \"traefik-web\"\n", web).with(ROUTES);
    let pair = Pair::start(&lab, &configuration);

    // rustls verifies the certificate: a handshake with another service's fails.
    let plain = authority.client();
    let mut split = rustls::ClientConfig::clone(&plain);
    split.max_fragment_size = Some(64);
    split.alpn_protocols = (0..150).map(|number| format!("protocol-{number:03}-of-a-long-list").into_bytes()).collect();
    split.alpn_protocols.push(b"h2".to_vec());
    let split = Arc::new(split);
    let asks = |name: &'static str, client: &Arc<rustls::ClientConfig>| {
        let client = Arc::clone(client);
        lab.client().run(move || handshake(VIP, name, client))
    };
    eventually("the first handshake", Duration::from_secs(5), || asks("grafana.lab", &plain).is_ok());
    for (name, client) in
        [("default.lab", &plain), ("x.apps.lab", &plain), ("grafana.lab", &split), ("y.apps.lab", &split)]
    {
        asks(name, client).unwrap_or_else(|error| panic!("{name}: {error}\n{}", pair.first.expect_ctl(&["vips"])));
    }

    // OpenSSL says who has answered.
    for (words, expected) in [
        (&["-servername", "grafana.lab"][..], "grafana.lab"),
        (&["-servername", "GRAFANA.LAB", "-tls1_2"], "grafana.lab"),
        (&["-noservername"], "default.lab"),
        (&["-servername", "apps.lab"], "default.lab"),
        (&["-servername", "grafana.lab", "-alpn", "h2,acme-tls/1"], "acme.lab"),
        (&["-noservername", "-bind", "192.168.0.51"], "*.apps.lab"),
    ] {
        if words.contains(&"-bind") {
            ip_batch(Some(lab.client()), &["address add 192.168.0.51/24 dev eth0".to_owned()]);
        }
        let subject = openssl::subject(&lab, VIP, words);
        assert!(subject.contains(expected), "openssl s_client {words:?} was answered by {subject:?}, not {expected}");
    }

    // The Web's own frontend: what is no TLS goes where it always went, and a name leads away from it.
    assert!(fetch(lab.client(), &Target::http("192.168.0.33:443")).outcome.is_ok(), "plain HTTP on a port with names");
    let on_web = lab.client().run(move || handshake("192.168.0.33:443", "grafana.lab", plain));
    on_web.expect("grafana.lab on the Web's port");

    let vips = pair.first.expect_ctl(&["vips"]);
    assert!(vips.contains("to apps: server name *.apps.lab"), "{vips}");
    let (why, grafana) = (["explain", "vip", "web"], ["explain", "backend", "grafana"]);
    let (why, grafana) = (pair.first.expect_ctl(&why), pair.first.expect_ctl(&grafana));
    assert!(
        why.contains("grafana") && why.contains("acme"),
        "what only a name leads to is behind the address too: {why}"
    );
    assert!(grafana.contains("web") && !grafana.contains("no frontend"), "{grafana}");
    let metrics = lab.machine(pair.first.node()).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
    let named =
        metrics.lines().find(|line| line.starts_with("fmc_client_hellos_total{frontend=\"tls\",hello=\"named\"}"));
    assert!(named.is_some_and(|line| !line.ends_with(" 0")), "no hello was counted:\n{metrics}");

    // A backend that only a name leads to may die: the address stays, and so does everything else on it.
    services[1].kill();
    eventually("the dead service is told", Duration::from_secs(10), || {
        pair.first.expect_ctl(&["vips"]).contains("no server of grafana accepts")
    });
    let asks = |name: &'static str| {
        let client = authority.client();
        lab.client().run(move || handshake(VIP, name, client))
    };
    assert!(asks("grafana.lab").is_err());
    asks("default.lab").expect("the default backend serves on");
    let owner = pair.first.expect_ctl(&["vips"]);
    assert!(owner.contains("active for"), "the address has moved:\n{owner}");
}

#[test]
fn a_reload_changes_where_a_name_leads_and_the_plan_says_so() {
    let lab = Lab::flatcar_micro_cloud();
    let authority = Authority::new();
    let _masters = Server::masters(&lab, &authority);
    let _workers = Server::workers(&lab);
    let _services = SERVICES.map(|(machine, at, name)| openssl::serve(&lab, &authority, machine, at, name));
    let configuration = Configuration::flatcar_micro_cloud().with(ROUTES);
    let pair = Pair::start(&lab, &configuration);
    let subject = || openssl::subject(&lab, VIP, &["-servername", "grafana.lab"]);
    eventually("the first handshake", Duration::from_secs(5), || subject().contains("grafana.lab"));

    let next = configuration
        .replace("[\"grafana.lab\"], backend = \"grafana\"", "[\"other.lab\", \"grafana.lab\"], backend = \"apps\"");
    let next = next.replace("grafana = { servers = { worker2 = \"10.17.4.25:8443\" } }\n", "");
    let file = next.write(&lab, "next.toml");
    let file = file.to_string_lossy();
    let plan = String::from_utf8_lossy(&pair.first.ctl(&["plan", &file]).stdout).into_owned();
    assert!(plan.contains("frontends.tls.routes") && plan.contains("backends.grafana"), "{plan}");
    pair.first.expect_ctl(&["apply", &file]);
    let answered = subject();
    assert!(answered.contains("*.apps.lab"), "grafana.lab is still answered by {answered:?}");
}

/// A handshake with whoever the balancer sends the client to, who must have a certificate for `name`.
fn handshake(at: &str, name: &'static str, client: Arc<rustls::ClientConfig>) -> std::io::Result<()> {
    let name = ServerName::try_from(name).expect("a name");
    let mut session = rustls::ClientConnection::new(client, name).expect("a client");
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.set_nodelay(true)?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    session.writer().write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    session.complete_io(&mut stream)?;
    let mut answer = [0; 8];
    rustls::Stream::new(&mut session, &mut stream).read_exact(&mut answer)?;
    assert!(answer.starts_with(b"HTTP/1.0"), "{answer:?}");
    Ok(())
}
