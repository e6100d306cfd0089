//! A running data plane, and servers and clients around it.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::{NonZeroU8, NonZeroU16};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fmc_config::model::Config;
use fmc_config::model::backend::{Backend, Balance, Queue, Server, Weight};
use fmc_config::model::election::{Centiseconds, ChecksumForm, Election, Failback, Transport, Version};
use fmc_config::model::frontend::{Frontend, Keepalive, PortRoute, Profile, Protocol, WhenNoServer};
use fmc_config::model::health_check::{HealthCheck, Probe};
use fmc_config::model::name::BackendName;
use fmc_config::model::route::Route;
use fmc_config::model::service::{Admin, Dns, Limits, Pair};
use fmc_lb::{DataPlane, EndedBy, Failure, Handle};

/// The port of every frontend under test; addresses differ.
pub(crate) const PORT: u16 = 16_443;

/// Long enough for a slow machine, far shorter than a test that hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An address of 127/8 that no other test of this or another process uses.
pub(crate) fn own_address() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let pid = std::process::id();
    IpAddr::from([127, 1 + (pid >> 8 & 0x3f) as u8, pid as u8, NEXT.fetch_add(1, Ordering::Relaxed)])
}

/// What a test may change before the data plane starts.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) frontend: Frontend,
    pub(crate) backend: Backend,
    /// Backends that only routes lead to.
    pub(crate) others: Vec<Backend>,
    pub(crate) limits: Limits,
}

impl Setup {
    pub(crate) fn with(servers: &[SocketAddr]) -> Self {
        Self {
            frontend: frontend(own_address()),
            backend: backend(servers),
            others: Vec::new(),
            limits: Limits { max_connections: 1000, max_memory_mib: None, check_commands: false },
        }
    }

    /// With a backend of that name, to which a route leads.
    pub(crate) fn with_route(mut self, name: &str, server: SocketAddr, when: impl FnOnce(&mut Route)) -> Self {
        let name: BackendName = name.parse().unwrap();
        let mut route =
            Route { server_names: Vec::new(), alpn: Vec::new(), sources: Vec::new(), backend: name.clone() };
        when(&mut route);
        self.frontend.routes.push(route);
        self.others.push(Backend { name, ..backend(&[server]) });
        self
    }

    pub(crate) fn config(self) -> Config {
        Config {
            nodes: Vec::new(),
            election: Election {
                interval: Centiseconds::new(10).unwrap(),
                failback: Failback::Never,
                priority: NonZeroU8::MAX.get() - 1,
                version: Version::V3(ChecksumForm::PseudoHeader),
                transport: Transport::Multicast,
                auth_hmac: None,
            },
            vips: Vec::new(),
            backends: std::iter::once(Backend { has_flows: self.frontend.protocol == Protocol::Udp, ..self.backend })
                .chain(self.others)
                .collect(),
            frontends: vec![self.frontend],
            dns: Dns { resolvers: Vec::new(), min_ttl: PATIENCE, max_ttl: PATIENCE, hold: None },
            pair: Pair { port: port(1112), key_file: None },
            admin: Admin { listen: Vec::new(), allow: Vec::new(), remote: None },
            limits: self.limits,
        }
    }

    pub(crate) fn start(self) -> Running {
        let config = self.config();
        let failed = Arc::new(FailedDials::default());
        let heard = Arc::clone(&failed);
        let data_plane = DataPlane::bind(&config, Arc::new(move |dial| heard.hear(dial.failure))).unwrap();
        let handle = data_plane.handle();
        let relay_loop = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(data_plane.run());
        });
        Running {
            vip: SocketAddr::new(config.frontends[0].address, config.frontends[0].ports[0].listen.get()),
            handle,
            failed,
            relay_loop: Some(relay_loop),
        }
    }
}

/// A data plane on a thread of its own; stopped when dropped.
pub(crate) struct Running {
    pub(crate) vip: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) failed: Arc<FailedDials>,
    relay_loop: Option<JoinHandle<()>>,
}

/// What the daemon would hear about servers that did not accept.
#[derive(Default)]
pub(crate) struct FailedDials([AtomicU32; Failure::ALL.len()]);

impl FailedDials {
    fn hear(&self, failure: Failure) {
        self.0[failure as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, failure: Failure) -> u32 {
        self.0[failure as usize].load(Ordering::Relaxed)
    }
}

impl Running {
    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.vip)
    }

    /// Connects and reads the name the server greets with; the error is the relay's.
    pub(crate) fn greeted(&self) -> std::io::Result<(u8, TcpStream)> {
        let mut client = self.connect();
        let mut name = [0];
        client.read_exact(&mut name)?;
        Ok((name[0], client))
    }

    pub(crate) fn ended(&self, ended_by: EndedBy) -> u64 {
        self.handle.frontends()[0].traffic().ended(ended_by)
    }

    pub(crate) fn await_end(&self, ended_by: EndedBy) {
        eventually(ended_by.words(), || self.ended(ended_by) > 0);
    }

    pub(crate) fn in_flight(&self) -> Vec<u32> {
        self.handle
            .pools()
            .into_iter()
            .flat_map(|pool| pool.status(self.handle.pulse().now()).servers)
            .map(|s| s.in_flight)
            .collect()
    }

    pub(crate) fn stop(mut self) {
        self.join(EndedBy::Shutdown);
    }

    fn join(&mut self, reason: EndedBy) {
        self.handle.shut_down(reason);
        if let Some(relay_loop) = self.relay_loop.take() {
            relay_loop.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.join(EndedBy::Shutdown);
        }
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A server that runs `serve` on a thread per connection, for as long as the test's process.
pub(crate) fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    server_on(own_address(), serve)
}

pub(crate) fn server_on(own: IpAddr, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((own, 0)).unwrap();
    let address = address_of(&listener);
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Greets with its name, then sends back what it gets until the client has finished.
pub(crate) fn greeter(name: u8) -> SocketAddr {
    server(move |mut stream| {
        let _ = stream.write_all(&[name]);
        echo(stream);
    })
}

/// Sends back what it gets until the client has finished.
pub(crate) fn echo(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
}

/// A server whose connections the test handles itself.
pub(crate) fn manual_server() -> (SocketAddr, mpsc::Receiver<TcpStream>) {
    let (sender, receiver) = mpsc::channel();
    let address = server(move |stream| {
        let _ = sender.send(stream);
    });
    (address, receiver)
}

/// An address where nothing listens.
pub(crate) fn refusing() -> SocketAddr {
    address_of(&TcpListener::bind((own_address(), 0)).unwrap())
}

/// A server whose listen queue is full, so that it answers no SYN; silent as long as the value lives.
pub(crate) struct Silent {
    pub(crate) address: SocketAddr,
    _listener: socket2::Socket,
    _queue: Vec<socket2::Socket>,
}

pub(crate) fn silent() -> Silent {
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::new(own_address(), 0).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let filler = |_| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address.into());
        socket
    };
    let queue = (0..4).map(filler).collect();
    Silent { address, _listener: listener, _queue: queue }
}

/// Waits for a condition that another thread brings about.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Closes with RST.
pub(crate) fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Reads until the peer ends: the error kind when that was not FIN.
pub(crate) fn end_of(stream: &mut TcpStream) -> Result<Vec<u8>, ErrorKind> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map(|_| bytes).map_err(|e| e.kind())
}

fn address_of(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().unwrap()
}

fn frontend(address: IpAddr) -> Frontend {
    Frontend {
        name: "k8s-api".parse().unwrap(),
        vip: "api".parse().unwrap(),
        address,
        protocol: Protocol::Tcp,
        ports: vec![PortRoute { listen: port(PORT), server: None }],
        profile: Profile::K8sApi,
        allow: Vec::new(),
        accept_proxy: Vec::new(),
        preface_timeout: Duration::from_secs(5),
        routes: Vec::new(),
        backend: "masters".parse().unwrap(),
        max_connections: 1000,
        idle_timeout: None,
        max_age: None,
        record_every: None,
        half_close_timeout: Duration::from_secs(30),
        keepalive: Keepalive { idle: Duration::from_secs(30), interval: Duration::from_secs(10), count: 3 },
        max_per_second: None,
        per_source: None,
        bandwidth: None,
        bandwidth_per_connection: None,
        user_timeout: Duration::from_secs(30),
        client_user_timeout: Duration::from_secs(30),
        when_no_server: WhenNoServer::Reset,
    }
}

fn backend(servers: &[SocketAddr]) -> Backend {
    let named = |(number, address): (usize, &SocketAddr)| Server {
        name: format!("s{}", number + 1).parse().unwrap(),
        address: address.ip(),
        port: NonZeroU16::new(address.port()),
        weight: Weight::new(1).unwrap(),
        max_connections: None,
        backup: false,
        check_address: None,
        found_by: None,
        serving_ports: Vec::new(),
    };
    Backend {
        name: "masters".parse().unwrap(),
        servers: servers.iter().enumerate().map(named).collect(),
        named: Vec::new(),
        balance: Balance::LeastConnections,
        has_flows: false,
        check: HealthCheck {
            track: None,
            probe: Probe::Tcp,
            port: None,
            interval: Duration::from_secs(3),
            fast_interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3,
        },
        proxy_protocol: None,
        connect_timeout: Duration::from_secs(1),
        hedge_after: None,
        slow_start: None,
        observe: None,
        agent: None,
        queue: Queue { length: 0, timeout: Duration::from_secs(5) },
        attempts: 3,
    }
}

fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}
