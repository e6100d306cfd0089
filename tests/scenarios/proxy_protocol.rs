//! A real nginx behind the balancer learns who its client is.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::lab::Lab;
use fmc_tests::pair::Pair;
use fmc_tests::process::Spawn;
use fmc_tests::server::Server;

const BACKEND: &str = r#"
[frontends.behind-nginx]
vip = "web"
port = 8080
profile = "tcp"
backend = "nginx"

[backends.nginx]
servers = { worker1 = "10.17.4.24:8080" }
proxy_protocol = "v2"
"#;

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
    let _pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with(BACKEND));

    let seen = || lab.client().run(|| ask().unwrap_or_default());
    eventually("nginx answers through the balancer", Duration::from_secs(5), || seen().contains("200 OK"));
    let (answer, own) = lab.client().run(|| (ask().expect("nginx answers"), "192.168.0.50"));
    assert!(answer.contains(&format!("client {own} port ")), "nginx saw another client:\n{answer}\n{}", nginx.log());
    assert!(answer.contains("vip 192.168.0.33 port 8080"), "nginx saw another destination:\n{answer}");
}

fn ask() -> std::io::Result<String> {
    let mut stream = TcpStream::connect("192.168.0.33:8080")?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
