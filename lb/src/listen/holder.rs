//! Who listens on a port, as far as /proc tells (proc_pid_net(5), proc_pid_fd(5)).

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// `st` of a listening socket in /proc/net/tcp and tcp6: TCP_LISTEN.
const LISTEN: &str = "0A";

/// The program that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A process this user may look into.
    Process {
        /// Its command name.
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// A process of somebody else: only the user id is public.
    User(u32),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { name, pid } => write!(f, "{name} (pid {pid})"),
            Self::User(uid) => write!(f, "a process of user id {uid}"),
        }
    }
}

/// The holder of `address`, be it bound to that address or to all.
pub(super) fn of(address: SocketAddr) -> Option<Holder> {
    // A socket of IPv6 for every address is one of IPv4 too, unless it says otherwise.
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let mut rows = tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(Row::parse);
    let row = rows.find(|row| row.clashes_with(address))?;
    Some(process_with_socket(row.inode).unwrap_or(Holder::User(row.uid)))
}

/// What is used of a line of /proc/net/tcp or tcp6.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    local: SocketAddr,
    uid: u32,
    inode: u64,
}

impl Row {
    /// `None` for a line that is no listening socket.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let [_, local, _, LISTEN, _, _, _, uid, _, inode, ..] = fields[..] else { return None };
        let (address, port) = local.split_once(':')?;
        let local = SocketAddr::new(printed(address)?, u16::from_str_radix(port, 16).ok()?);
        Some(Self { local, uid: uid.parse().ok()?, inode: inode.parse().ok()? })
    }

    fn clashes_with(&self, address: SocketAddr) -> bool {
        self.local.port() == address.port() && (self.local.ip() == address.ip() || self.local.ip().is_unspecified())
    }
}

/// An address is printed as the one number, or the four, that it is in memory.
fn printed(text: &str) -> Option<IpAddr> {
    let words = text.as_bytes().chunks(8).map(|word| u32::from_str_radix(str::from_utf8(word).ok()?, 16).ok());
    let octets: Vec<u8> = words.map(|word| word.map(u32::to_ne_bytes)).collect::<Option<Vec<_>>>()?.concat();
    match octets.len() {
        4 => Some(Ipv4Addr::from(*octets.first_chunk::<4>()?).into()),
        _ => Some(Ipv6Addr::from(*octets.first_chunk::<16>()?).into()),
    }
}

fn process_with_socket(inode: u64) -> Option<Holder> {
    let link = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut processes = processes.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    let (pid, path) = processes.find(|(_, path)| has_descriptor(path, &link))?;
    let name = fs::read_to_string(path.join("comm")).ok()?;
    Some(Holder::Process { name: name.trim_end().to_owned(), pid })
}

fn has_descriptor(process: &Path, link: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == link))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listening_row_is_read_and_another_is_not() {
        let line = |state| {
            format!(
                "  0: 2000A8C0:192B 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  998        0 4711 1 x"
            )
        };
        let row = Row::parse(&line("0A")).unwrap();
        assert_eq!((row.uid, row.inode), (998, 4711));
        if cfg!(target_endian = "little") {
            assert_eq!(row.local, "192.168.0.32:6443".parse().unwrap());
        }
        let of_6 = line("0A").replace("2000A8C0:192B", "000000FD000000000000000032000000:192B");
        if cfg!(target_endian = "little") {
            assert_eq!(Row::parse(&of_6).unwrap().local, "[fd00::32]:6443".parse().unwrap());
        }
        assert_eq!(Row::parse(&line("0A").replace("2000A8C0:", "2000A8C0C0:")), None);
        assert_eq!(Row::parse(&line("01")), None);
        assert_eq!(Row::parse("garbage"), None);
    }

    #[test]
    fn the_holder_of_a_port_of_our_own_is_this_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let holder = of(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)).unwrap();
        assert!(matches!(holder, Holder::Process { pid, .. } if pid == std::process::id()), "{holder}");
    }
}
