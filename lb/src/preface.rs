//! What a connection begins with, where that is looked at: a PROXY header from a trusted proxy, and from nobody else; what a TLS client says
//! first, where that decides on a route.
//!
//! Bytes are read, not peeked at: epoll would go on saying that they are there. Those after the header are the client's, and go to the
//! server in front of everything else.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::ended_by::EndedBy;
use crate::proxy_protocol::{self, Header, Likeness, Malformed, Reading};
use crate::sni::{self, ClientHello};

/// Read at once: a header with what proxies usually add, and the client's first segment.
const READ: usize = 2048;

/// What a PROXY header is, from the one who has connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// He is trusted: his connections begin with one.
    Required,
    /// Others are trusted, he is not: he says that he is somebody else.
    Refused,
    /// Bytes like any others.
    Ignored,
}

/// What a connection began with.
#[derive(Debug)]
pub(crate) struct Preface {
    pub(crate) header: Option<Header>,
    /// What the client has said already.
    pub(crate) said: Vec<u8>,
    /// When everything that is looked at has to be there.
    due: Instant,
}

/// What a client's first message was, where it was looked at for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Hello {
    /// TLS, for a server that it names.
    Named,
    /// TLS, and no name.
    Nameless,
    /// Something else.
    NotTls,
    /// Not there, or not whole, in time.
    Late,
}

impl Hello {
    /// Every variant, in order.
    pub const ALL: [Self; 4] = [Self::Named, Self::Nameless, Self::NotTls, Self::Late];

    /// The words of the metric.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Nameless => "nameless",
            Self::NotTls => "not-tls",
            Self::Late => "late",
        }
    }
}

/// Why a connection ends that has hardly begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No whole header in time.
    Late,
    /// A trusted proxy that says something else.
    NoHeader,
    /// A trusted proxy that says it wrongly.
    Malformed(Malformed),
    /// A header from somebody who is not trusted.
    NotTrusted,
    /// FIN before a word, as a check of the port leaves it.
    Closed,
    /// FIN or RST in the middle.
    Lost,
}

impl Preface {
    /// Reads as much as it takes to tell whether the connection begins with a header; all that it begins with is due after `patience`.
    pub(crate) async fn read(stream: &TcpStream, manner: Manner, patience: Duration) -> Result<Self, Fault> {
        let mut preface = Self { header: None, said: Vec::new(), due: Instant::now() + patience };
        let (said, due) = (&mut preface.said, preface.due);
        match manner {
            Manner::Ignored => {}
            Manner::Required => match timeout_at(due, header(stream, said)).await {
                Ok(header) => preface.header = Some(header?),
                Err(_elapsed) => return Err(Fault::Late),
            },
            Manner::Refused => match timeout_at(due, no_header(stream, said)).await {
                // Who is silent waits for the server to speak; who has begun a header and stopped is up to something.
                Err(_elapsed) if said.is_empty() => {}
                Err(_elapsed) => return Err(Fault::NotTrusted),
                Ok(checked) => checked?,
            },
        }
        Ok(preface)
    }

    /// Reads on until the client's first message is there, or is seen to be none of TLS. It stays in [`Preface::said`].
    pub(crate) async fn hello(&mut self, stream: &TcpStream) -> Result<(Hello, ClientHello), Fault> {
        match timeout_at(self.due, hello(stream, &mut self.said)).await {
            Ok(read) => read,
            Err(_elapsed) => Ok((Hello::Late, ClientHello::default())),
        }
    }
}

async fn hello(stream: &TcpStream, said: &mut Vec<u8>) -> Result<(Hello, ClientHello), Fault> {
    let mut has_ended = false;
    loop {
        match sni::read(said) {
            sni::Reading::Hello(hello) if hello.server_name.is_some() => return Ok((Hello::Named, hello)),
            sni::Reading::Hello(hello) => return Ok((Hello::Nameless, hello)),
            sni::Reading::NeedMore if !has_ended => has_ended = more(stream, said).await?,
            sni::Reading::NeedMore if said.is_empty() => return Err(Fault::Closed),
            sni::Reading::NeedMore | sni::Reading::NoHello => return Ok((Hello::NotTls, ClientHello::default())),
        }
    }
}

/// The header; what came after it is left in `said`.
async fn header(stream: &TcpStream, said: &mut Vec<u8>) -> Result<Header, Fault> {
    loop {
        let has_ended = more(stream, said).await?;
        match proxy_protocol::decode(said).map_err(Fault::Malformed)? {
            Reading::Header(header) => {
                said.drain(..header.length);
                return Ok(header);
            }
            Reading::NoHeader => return Err(Fault::NoHeader),
            Reading::NeedMore if !has_ended => {}
            Reading::NeedMore if said.is_empty() => return Err(Fault::Closed),
            Reading::NeedMore => return Err(Fault::Lost),
        }
    }
}

/// Ends once what is in `said` is seen not to be a header. A client that closes without having said a word is left to the server.
async fn no_header(stream: &TcpStream, said: &mut Vec<u8>) -> Result<(), Fault> {
    loop {
        let has_ended = more(stream, said).await?;
        match proxy_protocol::likeness(said) {
            Likeness::No => return Ok(()),
            Likeness::Perhaps if has_ended => return Ok(()),
            Likeness::Perhaps => {}
            Likeness::Version1 | Likeness::Version2 => return Err(Fault::NotTrusted),
        }
    }
}

/// Adds what has come to `said`; true: there will be no more.
async fn more(stream: &TcpStream, said: &mut Vec<u8>) -> Result<bool, Fault> {
    said.reserve(READ);
    loop {
        stream.readable().await.map_err(|_| Fault::Lost)?;
        match stream.try_read_buf(said) {
            Ok(count) => return Ok(count == 0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_reset) => return Err(Fault::Lost),
        }
    }
}

impl Fault {
    pub(crate) fn ended_by(self) -> EndedBy {
        match self {
            Self::Late => EndedBy::PrefaceTimeout,
            Self::NoHeader | Self::Malformed(_) => EndedBy::BadProxyHeader,
            Self::NotTrusted => EndedBy::RefusedProxyHeader,
            Self::Closed => EndedBy::ClientClosed,
            Self::Lost => EndedBy::ClientReset,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("no PROXY header in time"),
            Self::NoHeader => f.write_str("a trusted proxy that sends no PROXY header"),
            Self::Malformed(fault) => write!(f, "a trusted proxy whose PROXY header is {fault}"),
            Self::NotTrusted => f.write_str("a PROXY header from somebody who is not in accept_proxy"),
            Self::Closed => f.write_str("closed before a word"),
            Self::Lost => f.write_str("gone before the header was whole"),
        }
    }
}
