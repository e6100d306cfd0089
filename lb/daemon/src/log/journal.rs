//! The journal's own protocol: a datagram for each line, in it the message and each of its values as a field that `journalctl` finds.
//!
//! ```text
//! NAME=value\n                             a value without a line end
//! NAME\n <length, u64 little endian> value\n   one with
//! ```
//!
//! Source: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>, systemd.journal-fields(7).

use std::fmt::{self, Debug, Write as _};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::sys::stat::fstat;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};
use tracing_subscriber::fmt::format::Writer;

const SOCKET: &str = "/run/systemd/journal/socket";

/// Before the name of each value of ours, so that none is taken for one of systemd's.
const OURS: &str = "FMC_";

/// Between two fields on the way to the socket, which is a way for text.
const NEXT: char = '\u{1e}';

/// The longest text that is sent: with all its fields a line stays under what a datagram may have by default (`wmem_default`, 208 KiB).
const LONGEST: usize = 32 * 1024;

/// Where the journal listens. Each write is one line.
#[derive(Debug)]
pub(super) struct JournalSocket {
    socket: UnixDatagram,
    to: PathBuf,
}

impl JournalSocket {
    /// If stderr is the journal's: systemd says so (`JOURNAL_STREAM`, systemd.exec(5)), and says which stream it meant, since whoever
    /// started us may have given us another one.
    pub(super) fn of_stderr() -> Option<Self> {
        let stream = std::env::var("JOURNAL_STREAM").ok()?;
        let (device, inode) = stream.split_once(':')?;
        let stderr = fstat(io::stderr()).ok()?;
        let is_it = device.parse() == Ok(stderr.st_dev) && inode.parse() == Ok(stderr.st_ino);
        (is_it && Path::new(SOCKET).exists()).then(|| Self::to(SOCKET.into()))?
    }

    fn to(path: PathBuf) -> Option<Self> {
        Some(Self { socket: UnixDatagram::unbound().ok()?, to: path })
    }
}

impl Write for JournalSocket {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // By its path each time: a journal that was restarted listens on another socket there.
        self.socket.send_to(&datagram(line), &self.to)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes one line: `message` as people read it, then what it is made of.
pub(super) fn write(writer: &mut Writer<'_>, message: &str, event: &Event<'_>, left_out: u64) -> fmt::Result {
    let mut fields = Fields(String::new());
    fields.put("PRIORITY", priority(*event.metadata().level()));
    fields.put("SYSLOG_IDENTIFIER", "fmc-lb");
    if left_out > 0 {
        fields.put("FMC_LEFT_OUT", &left_out.to_string());
        fields.put("MESSAGE", &format!("{message} left_out={left_out}"));
    } else {
        fields.put("MESSAGE", message);
    }
    event.record(&mut fields);
    writer.write_str(&fields.0)
}

/// As syslog(3) counts.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

/// `NAME=value` one after the other.
struct Fields(String);

impl Fields {
    fn put(&mut self, name: &str, value: &str) {
        let end = (0..=LONGEST.min(value.len())).rev().find(|end| value.is_char_boundary(*end)).unwrap_or_default();
        let shown = &value[..end];
        let _a_string_takes_everything = write!(self.0, "{name}={}{NEXT}", shown.replace(NEXT, " "));
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != "message" {
            self.put(&name(field.name()), value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != "message" {
            self.put(&name(field.name()), &format!("{value:?}"));
        }
    }
}

/// Capital letters, digits and underscores (systemd.journal-fields(7)).
fn name(field: &str) -> String {
    let of_the_journal = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    OURS.chars().chain(field.chars().map(of_the_journal)).collect()
}

fn datagram(line: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(line.len() + 64);
    for field in line.split(|byte| *byte == NEXT as u8).filter(|field| !field.is_empty()) {
        match field.iter().position(|byte| *byte == b'=') {
            Some(end) if field.contains(&b'\n') => {
                let (name, value) = (&field[..end], &field[end + 1..]);
                datagram.extend([name, b"\n", &(value.len() as u64).to_le_bytes(), value].concat());
            }
            _ => datagram.extend(field),
        }
        datagram.push(b'\n');
    }
    datagram
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut text = Fields(String::new());
        fields.iter().for_each(|(name, value)| text.put(name, value));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let mut socket = JournalSocket::to(path).unwrap();
        socket.write_all(text.0.as_bytes()).unwrap();
        let mut buffer = vec![0; 1 << 18];
        let length = journal.recv(&mut buffer).unwrap();
        buffer.truncate(length);
        buffer
    }

    #[test]
    fn a_line_is_one_datagram_with_a_field_for_each_value() {
        let seen = sent(&[("PRIORITY", "6"), ("MESSAGE", "connection ended id=17"), ("FMC_ID", "17")]);
        assert_eq!(String::from_utf8(seen).unwrap(), "PRIORITY=6\nMESSAGE=connection ended id=17\nFMC_ID=17\n");
    }

    #[test]
    fn a_value_of_several_lines_goes_by_its_length() {
        let value = "x".repeat(200) + "\ny=z";
        let expected = [b"MESSAGE\n", &204_u64.to_le_bytes()[..], value.as_bytes(), b"\nA=b\n"].concat();
        assert_eq!(sent(&[("MESSAGE", &value), ("A", "b")]), expected);
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_sent() {
        assert_eq!(sent(&[("MESSAGE", &"é".repeat(LONGEST))]).len(), "MESSAGE=\n".len() + LONGEST);
    }

    #[test]
    fn names_are_what_the_journal_takes() {
        assert_eq!((name("ended_by"), name("log.target")), ("FMC_ENDED_BY".to_owned(), "FMC_LOG_TARGET".to_owned()));
    }
}
