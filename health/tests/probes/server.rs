//! Servers that behave, and servers that do not; they tell how each client left.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// More connections than any test makes between two looks; a full channel fails the test that did.
const FAREWELLS: usize = 4096;

/// How a client's connection ended, as the server saw it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// TLS: `close_notify`, then FIN. Plain TCP: FIN.
    Clean,
    /// Anything that a Go server would log.
    Rude(io::ErrorKind),
}

/// What a server does with the head of a request; `None` answers nothing and keeps the connection.
pub(crate) type Answers = Arc<dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync>;

/// A listener on loopback whose connections are served until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    farewells: mpsc::Receiver<Farewell>,
    requests: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Server {
    /// TLS; a request is answered by `answers`, then the server closes as Go does after `Connection: close`: FIN first,
    /// then it waits for the client.
    pub(crate) async fn tls(
        config: Arc<ServerConfig>,
        answers: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let (acceptor, answers): (TlsAcceptor, Answers) = (config.into(), Arc::new(answers));
        Self::start(move |stream, requests| serve(acceptor.clone(), stream, answers.clone(), requests)).await
    }

    /// The same without TLS.
    pub(crate) async fn http(answers: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let answers: Answers = Arc::new(answers);
        Self::start(move |stream, requests| converse(stream, answers.clone(), requests, "")).await
    }

    /// The same over IPv6.
    pub(crate) async fn http_6(answers: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let answers: Answers = Arc::new(answers);
        Self::start_on("[::1]:0", move |stream, requests| converse(stream, answers.clone(), requests, "")).await
    }

    /// Plain TCP: says `greeting`, then waits for the client to leave.
    pub(crate) async fn tcp(greeting: &'static [u8]) -> Self {
        Self::start(move |mut stream, _| async move {
            stream.write_all(greeting).await.unwrap();
            read_to_the_end(&mut stream).await
        })
        .await
    }

    /// Plain TCP: says every byte back, one at a time.
    pub(crate) async fn echo(pause: Duration) -> Self {
        Self::start(move |mut stream, _| async move {
            while let Ok(byte) = stream.read_u8().await {
                stream.write_all(&[byte]).await.unwrap();
                sleep(pause).await;
            }
            Farewell::Clean
        })
        .await
    }

    /// Plain TCP: says `words` and closes its side.
    pub(crate) async fn farewell_after(words: Vec<u8>) -> Self {
        Self::start(move |mut stream, _| {
            let words = words.clone();
            async move {
                // The client may have heard enough before all is written.
                let _ = stream.write_all(&words).await;
                let _ = stream.shutdown().await;
                read_to_the_end(&mut stream).await
            }
        })
        .await
    }

    /// Accepts and resets at once.
    pub(crate) async fn resetting() -> Self {
        Self::start(|stream, _| async move {
            stream.set_zero_linger().unwrap();
            drop(stream);
            Farewell::Clean
        })
        .await
    }

    async fn start<F: Future<Output = Farewell> + Send + 'static>(
        serve: impl Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> F + Send + 'static,
    ) -> Self {
        Self::start_on("127.0.0.1:0", serve).await
    }

    async fn start_on<F: Future<Output = Farewell> + Send + 'static>(
        own: &str,
        serve: impl Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(own).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, farewells) = mpsc::channel(FAREWELLS);
        let requests = Arc::default();
        let (heard, mut serving) = (Arc::clone(&requests), JoinSet::new());
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (told, farewell) = (told.clone(), serve(stream, Arc::clone(&heard)));
                connections.spawn(async move { told.try_send(farewell.await).unwrap() });
            }
        });
        Self { address, farewells, requests, _serving: serving }
    }

    /// How the next client left.
    pub(crate) async fn farewell(&mut self) -> Farewell {
        timeout(Duration::from_secs(5), self.farewells.recv()).await.expect("no client left").unwrap()
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A listener that accepts in the kernel only, as that of a stopped process.
pub(crate) async fn silent() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A listener whose backlog is full: the kernel drops every further SYN, so a client hears nothing at all.
pub(crate) async fn full() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(accepted) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        waiting.push(accepted.unwrap());
    }
    (listener, address, waiting)
}

/// A port where nothing listens, held so that no other test's server gets it; `listen` brings it to life.
pub(crate) fn closed() -> (TcpSocket, SocketAddr) {
    closed_at("127.0.0.1:0".parse().unwrap())
}

pub(crate) fn closed_at(address: SocketAddr) -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A response with this status and body.
pub(crate) fn response(status: u16, body: &str) -> Option<Vec<u8>> {
    let length = body.len();
    Some(format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes())
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    answers: Answers,
    requests: Arc<Mutex<Vec<String>>>,
) -> Farewell {
    let stream = match acceptor.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => return Farewell::Rude(error.kind()),
    };
    let shown = if stream.get_ref().1.peer_certificates().is_some() { CERTIFICATE_SHOWN } else { "" };
    converse(stream, answers, requests, shown).await
}

/// Stands behind a request whose client showed a certificate.
pub(crate) const CERTIFICATE_SHOWN: &str = "certificate: shown";

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Socket + Unpin,
    answers: Answers,
    requests: Arc<Mutex<Vec<String>>>,
    shown: &str,
) -> Farewell {
    let head = match read_head(&mut stream).await {
        Ok(Some(head)) => head + shown,
        Ok(None) => return read_to_the_end(&mut stream).await,
        Err(error) => return Farewell::Rude(error.kind()),
    };
    let answer = answers(&head);
    requests.lock().unwrap().push(head);
    if let Some(bytes) = answer {
        // The client may have had enough before all is written; how it leaves shows below.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
    }
    read_to_the_end(&mut stream).await
}

/// Up to the empty line; `None` when the client leaves politely without a request.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && clean_end(stream).await => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(String::from_utf8(head).unwrap()))
}

/// `read_u8` says "unexpected end" for a clean one too; only after `close_notify` does a plain read say 0.
async fn clean_end(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    matches!(stream.read(&mut [0]).await, Ok(0))
}

/// Reads until the client has left, then a moment longer: a client that closed over unread bytes sends a reset after its
/// FIN, and reading alone would never notice.
async fn read_to_the_end(stream: &mut (impl AsyncRead + Socket + Unpin)) -> Farewell {
    let mut rest = [0; 1024];
    loop {
        match stream.read(&mut rest).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Farewell::Rude(error.kind()),
        }
    }
    sleep(Duration::from_millis(3)).await;
    match stream.socket().take_error().unwrap() {
        None => Farewell::Clean,
        Some(error) => Farewell::Rude(error.kind()),
    }
}

/// The TCP socket below.
trait Socket {
    fn socket(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}
