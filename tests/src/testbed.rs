//! The services of the lab's servers, as the process `fmc-testbed` runs them: each answer names its server.

mod http;
mod k3s;
mod stream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::net::{TcpListener, TcpStream};

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// TLS and HTTP as a K3s server does: 401 for those without its token, `pong` for all.
    K3s,
    /// Plain HTTP: the server's name.
    Http,
    /// Every byte comes back.
    Echo,
    /// Reads to the end of the stream, then says how many bytes came: what half-close is for.
    Count,
}

/// What `fmc-testbed` was told on its command line.
#[derive(Debug)]
pub struct Testbed {
    name: Arc<str>,
    certificate: Option<(PathBuf, PathBuf)>,
    ports: Vec<(Protocol, SocketAddr)>,
}

impl Testbed {
    /// Reads `NAME [certificate=FILE key=FILE] PROTOCOL=ADDRESS:PORT...`.
    ///
    /// # Errors
    /// Names the word that means nothing here.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let name =
            words.next().context("usage: fmc-testbed NAME [certificate=FILE key=FILE] PROTOCOL=ADDRESS:PORT...")?;
        let (mut certificate, mut key, mut ports) = (None, None, Vec::new());
        for word in words {
            match word.split_once('=').with_context(|| format!("{word} is not KEY=VALUE"))? {
                ("certificate", file) => certificate = Some(PathBuf::from(file)),
                ("key", file) => key = Some(PathBuf::from(file)),
                (protocol, address) => ports.push((parse_protocol(protocol)?, address.parse()?)),
            }
        }
        Ok(Self { name: name.into(), certificate: certificate.zip(key), ports })
    }

    /// Serves until killed.
    ///
    /// # Errors
    /// When an address cannot be bound or the certificate not read.
    pub async fn serve(self) -> Result<()> {
        let tls = self.certificate.as_ref().map(|(certificate, key)| k3s::acceptor(certificate, key)).transpose()?;
        for (protocol, address) in self.ports {
            let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
            let service = Service { name: Arc::clone(&self.name), protocol, tls: tls.clone() };
            tokio::spawn(accept(listener, service));
        }
        std::future::pending().await
    }
}

fn parse_protocol(word: &str) -> Result<Protocol> {
    Ok(match word {
        "k3s" => Protocol::K3s,
        "http" => Protocol::Http,
        "echo" => Protocol::Echo,
        "count" => Protocol::Count,
        _ => bail!("{word} is no protocol of the test bed"),
    })
}

#[derive(Clone)]
struct Service {
    name: Arc<str>,
    protocol: Protocol,
    tls: Option<tokio_rustls::TlsAcceptor>,
}

async fn accept(listener: TcpListener, service: Service) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => drop(tokio::spawn(serve(stream, from, service.clone()))),
            Err(error) => event(&format!("accept: {error}")),
        }
    }
}

async fn serve(stream: TcpStream, from: SocketAddr, service: Service) {
    let name = &service.name;
    let outcome = match (service.protocol, service.tls) {
        (Protocol::K3s, Some(tls)) => k3s::serve(stream, from, name, &tls).await,
        (Protocol::K3s, None) => Err(std::io::Error::other("k3s needs certificate= and key=")),
        (Protocol::Http, _) => http::serve(stream, name).await,
        (Protocol::Echo, _) => stream::echo(stream).await,
        (Protocol::Count, _) => stream::count(stream, name).await,
    };
    if let Err(error) = outcome {
        event(&format!("{from}: {error}"));
    }
}

/// One line in the server's log, where a scenario looks for it.
#[allow(clippy::print_stdout, reason = "standard output is this process's log")]
fn event(text: &str) {
    println!("{text}");
}
