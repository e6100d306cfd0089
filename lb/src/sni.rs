//! [core] What a TLS client says before anything is encrypted: whom it wants (SNI, RFC 6066 §3) and what it will speak (ALPN, RFC 7301).
//!
//! ```text
//! record     22, 3, any, length u16, fragment               RFC 8446 §5.1; a message may be spread over several
//! handshake  1 (client_hello), length u24                   §4
//! hello      version u16, random 32, session id <0..32>, cipher suites <2..>, compression <1..>, extensions   §4.1.2
//! extension  type u16, data <0..2^16>                       §4.2
//! ```
//!
//! A client that encrypts its hello (ECH) says the name of the front that it goes by here, and its real wish where only the server can read it.

/// Bytes looked at before this gives up. A hello with a post-quantum key share has some 1,800, one that hides another inside it (ECH) twice that.
pub const LONGEST: usize = 16 * 1024;

const HANDSHAKE: u8 = 22;
const MAJOR_VERSION: u8 = 3;
const CLIENT_HELLO: u8 = 1;
/// The longest fragment of one record (RFC 8446 §5.1).
const LONGEST_FRAGMENT: usize = 1 << 14;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
const ALPN: u16 = 16;

/// What is read of a hello.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// In lower case; `None`: the client names nobody.
    pub server_name: Option<String>,
    /// In the client's order of preference.
    pub alpn: Vec<Vec<u8>>,
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A whole hello.
    Hello(ClientHello),
    /// The beginning of one, or too little to tell.
    NeedMore,
    /// Something else, or one that breaks a rule: its server will say so.
    NoHello,
}

/// What stands at the beginning of a connection. `bytes` is all that has come so far.
pub fn read(bytes: &[u8]) -> Reading {
    let outcome = message(bytes).and_then(|message| hello(&message).ok_or(Incomplete::Never));
    match outcome {
        Ok(hello) => Reading::Hello(hello),
        Err(Incomplete::Yet) if bytes.len() < LONGEST => Reading::NeedMore,
        Err(_) => Reading::NoHello,
    }
}

/// Why there is no message to read.
enum Incomplete {
    Yet,
    Never,
}

/// The body of the hello, put together from its records.
fn message(bytes: &[u8]) -> Result<Vec<u8>, Incomplete> {
    let (mut message, mut rest) = (Vec::new(), bytes);
    loop {
        if let Some(length) = message_length(&message)?
            && message.len() >= 4 + length
        {
            message.truncate(4 + length);
            message.drain(..4);
            return Ok(message);
        }
        let (fragment, after) = record(rest)?;
        message.extend_from_slice(fragment);
        rest = after;
    }
}

/// The length of the body, once the message's own header is there.
fn message_length(message: &[u8]) -> Result<Option<usize>, Incomplete> {
    match *message {
        [] => Ok(None),
        [kind, ..] if kind != CLIENT_HELLO => Err(Incomplete::Never),
        [_, high, middle, low, ..] => match usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low) {
            length if length <= LONGEST => Ok(Some(length)),
            _ => Err(Incomplete::Never),
        },
        _ => Ok(None),
    }
}

/// The first record's fragment, or what has come of it, and what follows. A fragment that is not whole is of no use yet, but tells early
/// whether this is a hello at all.
fn record(bytes: &[u8]) -> Result<(&[u8], &[u8]), Incomplete> {
    let begins_so = |at: usize, expected: u8| bytes.get(at).is_none_or(|byte| *byte == expected);
    if !begins_so(0, HANDSHAKE) || !begins_so(1, MAJOR_VERSION) {
        return Err(Incomplete::Never);
    }
    let [_, _, _, high, low, rest @ ..] = bytes else { return Err(Incomplete::Yet) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length == 0 || length > LONGEST_FRAGMENT {
        return Err(Incomplete::Never);
    }
    rest.split_at_checked(length).ok_or(Incomplete::Yet)
}

fn hello(body: &[u8]) -> Option<ClientHello> {
    let mut body = Reader(body);
    body.take(2 + 32)?;
    let session_id = body.vector::<1>()?;
    let (_cipher_suites, _compression) = (body.vector::<2>()?, body.vector::<1>()?);
    if session_id.0.len() > 32 {
        return None;
    }
    let mut hello = ClientHello::default();
    // Before TLS 1.3 there may be none at all (RFC 5246 §7.4.1.2).
    let mut extensions = if body.is_empty() { Reader(&[]) } else { body.vector::<2>()? };
    while !extensions.is_empty() {
        let (kind, data) = (extensions.number::<2>()?, extensions.vector::<2>()?);
        match u16::try_from(kind).ok()? {
            SERVER_NAME => hello.server_name = server_name(data)?,
            ALPN => hello.alpn = alpn(data)?,
            _ => {}
        }
    }
    body.is_empty().then_some(hello)
}

/// The first host name; a name that is not ASCII is none that a route could have.
fn server_name(mut data: Reader<'_>) -> Option<Option<String>> {
    let mut names = data.vector::<2>()?;
    while !names.is_empty() {
        let (kind, name) = (names.number::<1>()?, names.vector::<2>()?);
        if kind == usize::from(HOST_NAME) {
            return Some(str::from_utf8(name.0).ok().filter(|name| name.is_ascii()).map(str::to_ascii_lowercase));
        }
    }
    Some(None)
}

fn alpn(mut data: Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let (mut list, mut protocols) = (data.vector::<2>()?, Vec::new());
    while !list.is_empty() {
        protocols.push(list.vector::<1>()?.0.to_vec());
    }
    Some(protocols)
}

/// Bytes still to be read; every read that reaches beyond them is `None`.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// `N` octets in network order.
    fn number<const N: usize>(&mut self) -> Option<usize> {
        Some(self.take(N)?.iter().fold(0, |number, octet| number << 8 | usize::from(*octet)))
    }

    /// What follows its own length of `N` octets.
    fn vector<const N: usize>(&mut self) -> Option<Self> {
        let length = self.number::<N>()?;
        self.take(length).map(Self)
    }
}

#[cfg(test)]
mod tests;
