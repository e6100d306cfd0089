//! Services of UDP behind a VIP: a tunnel outlives a move of the address, and flows leave a server that is gone.

use std::io::Read;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::{eventually, eventually_some};
use fmc_tests::lab::Lab;
use fmc_tests::namespace::Namespace;
use fmc_tests::pair::{NODES, Pair, WEB};
use fmc_tests::process::{Process, Spawn};
use fmc_tests::server::Server;

const WORKERS: [&str; 3] = ["worker1", "worker2", "worker3"];
const ECHO: u16 = 5353;

fn with_udp(port: u16) -> Configuration {
    Configuration::flatcar_micro_cloud().with(&format!(
        "[frontends.datagrams]
         vip = \"web\"
         protocol = \"udp\"
         port = {port}
         backend = \"datagrams\"

         [backends.datagrams]
         servers = {{ worker1 = \"10.17.4.24\", worker2 = \"10.17.4.25\", worker3 = \"10.17.4.26\" }}
         check = {{ type = \"tcp\", port = 80 }}
        "
    ))
}

/// Every worker is the same peer, so any of them may serve; which one does is not to change when the address moves.
#[test]
fn a_wireguard_tunnel_through_the_vip_outlives_a_move_of_the_address() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let (ours, theirs) = (Key::new(&lab, "client"), Key::new(&lab, "workers"));
    let _ends = WORKERS.map(|worker| {
        let end = Tunnel::open(&lab, lab.machine(worker), worker, &theirs, "10.99.0.1/24");
        end.expect_wg(&["listen-port", "51820", "peer", &ours.public, "allowed-ips", "10.99.0.2/32"]);
        let inside = ["TCP4-LISTEN:7,bind=10.99.0.1,fork,reuseaddr".to_owned(), format!("SYSTEM:echo {worker}")];
        (end, lab.machine(worker).spawn(Spawn::new("socat", lab.path(&format!("{worker}-inside.log"))).args(inside)))
    });
    let pair = Pair::start(&lab, &with_udp(51820));
    let tunnel = Tunnel::open(&lab, lab.client(), "client", &ours, "10.99.0.2/24");
    let endpoint = ["allowed-ips", "10.99.0.1/32", "endpoint", "192.168.0.33:51820"];
    tunnel.expect_wg(&[&["peer", theirs.public.as_str()][..], &endpoint].concat());
    let asked = || lab.client().run(|| answer(&"10.99.0.1:7".parse().expect("an address")).ok());
    let (worker, _) = eventually_some("the tunnel is up", Duration::from_secs(20), asked);
    let handshake = || Tunnel::last_handshake(lab.machine(&worker), &worker);
    let before = handshake();
    assert!(before > 0, "{worker} has shaken hands");

    pair.first.expect_ctl(&["failover", "web", "--yes"]);
    pair.ownership.wait_for(NODES[1], WEB, Duration::from_secs(5));
    let (after, _) = eventually_some("the tunnel goes on over the other node", Duration::from_secs(10), asked);
    assert_eq!((after, handshake()), (worker, before), "at the same worker, without a new handshake");
    let listed = pair.second.expect_ctl(&["sessions"]);
    assert!(listed.contains("datagrams:51820"), "{listed}");
}

#[test]
fn flows_leave_a_server_whose_port_is_closed_and_then_one_that_is_silent() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let workers = Server::workers(&lab);
    let mut echoes = WORKERS.map(|worker| echo(&lab, worker));
    let pair = Pair::start(&lab, &with_udp(ECHO));
    WORKERS.iter().for_each(|worker| {
        pair.first.wait_for_health(worker, fmc_api::word::Health::Healthy, Duration::from_secs(5));
    });
    let client = lab.client().run(|| UdpSocket::bind("0.0.0.0:0").expect("a socket of the client"));
    client.connect(("192.168.0.33", ECHO)).expect("a route to the VIP");
    client.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let asked = || {
        let mut name = [0; 64];
        client.send(b"who").ok()?;
        client.recv(&mut name).ok().map(|count| String::from_utf8_lossy(&name[..count]).trim().to_owned())
    };
    let first = asked().expect("an answer, from the address that was asked");
    assert!((0..5).all(|_| asked().as_ref() == Some(&first)), "a flow stays at its server");

    let at = |name: &str| WORKERS.iter().position(|worker| *worker == name).expect("a worker's name");
    echoes[at(&first)].kill();
    let (second, took) =
        eventually_some("another worker answers", Duration::from_secs(2), || asked().filter(|name| *name != first));
    assert!(took < Duration::from_secs(2), "the network says at once that the port is closed: {took:?}");

    workers[at(&second)].silence();
    eventually("a third one answers once the check has failed", Duration::from_secs(8), || {
        asked().is_some_and(|name| name != second)
    });
}

/// The name of whoever serves there.
fn answer(address: &SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut name = String::new();
    stream.read_to_string(&mut name)?;
    Ok(name.trim().to_owned())
}

/// Answers every datagram with the worker's name.
fn echo(lab: &Lab, worker: &str) -> Process {
    let (log, address) = (lab.path(&format!("{worker}-datagrams.log")), lab.address(worker));
    let listen = format!("UDP4-RECVFROM:{ECHO},bind={address},fork");
    let answer = format!("SYSTEM:echo {worker}");
    lab.machine(worker).spawn(Spawn::new("socat", log).args([listen, answer]))
}

/// A pair of WireGuard's.
struct Key {
    file: String,
    public: String,
}

impl Key {
    fn new(lab: &Lab, name: &str) -> Self {
        let private = lab.client().expect("wg", &["genkey"]);
        let file = lab.write(&format!("{name}.wg"), &private).display().to_string();
        let public = lab.client().expect("sh", &["-c", &format!("wg pubkey < {file}")]).trim().to_owned();
        Self { file, public }
    }
}

/// One end of a tunnel, of WireGuard's own implementation in user space.
struct Tunnel<'lab> {
    machine: &'lab Namespace,
    interface: String,
    _process: Process,
}

impl<'lab> Tunnel<'lab> {
    fn open(lab: &'lab Lab, machine: &'lab Namespace, name: &str, key: &Key, address: &str) -> Self {
        let interface = Self::interface(name);
        let log = lab.path(&format!("{name}-wireguard.log"));
        let process = machine.spawn(Spawn::new("wireguard-go", log).args(["-f", interface.as_str()]));
        let tunnel = Self { machine, interface, _process: process };
        let is_there = || machine.output("wg", &["show", &tunnel.interface]).status.success();
        eventually("the tunnel's interface is there", Duration::from_secs(20), is_there);
        tunnel.expect_wg(&["private-key", &key.file]);
        machine.expect("ip", &["address", "add", address, "dev", &tunnel.interface]);
        machine.expect("ip", &["link", "set", &tunnel.interface, "up"]);
        tunnel
    }

    /// One name for each machine: their control sockets share a directory.
    fn interface(name: &str) -> String {
        format!("wg-{name}")
    }

    fn expect_wg(&self, settings: &[&str]) {
        self.machine.expect("wg", &[&["set", self.interface.as_str()], settings].concat());
    }

    /// In seconds since 1970; 0: none yet.
    fn last_handshake(machine: &Namespace, name: &str) -> u64 {
        let shown = machine.expect("wg", &["show", &Self::interface(name), "latest-handshakes"]);
        shown.split_whitespace().nth(1).and_then(|time| time.parse().ok()).unwrap_or(0)
    }
}
