//! Why a port cannot be listened on, as the sentence an operator needs.

use std::io;
use std::net::SocketAddr;

use nix::errno::Errno;

use super::holder::{self, Holder};

/// Why a port cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another socket listens there.
    #[error("cannot listen on {address}: the port is taken{}; stop that program or give the frontend another port", held_by(.holder.as_ref()))]
    Taken {
        /// What was asked for.
        address: SocketAddr,
        /// Who has it, as far as /proc tells this user.
        holder: Option<Holder>,
    },
    /// A port that needs a privilege this process has not.
    #[error(
        "cannot listen on {address}: ports below {first_open} need CAP_NET_BIND_SERVICE; \
         start fmc-lb by its unit, or give the process that capability"
    )]
    Privileged {
        /// What was asked for.
        address: SocketAddr,
        /// net.ipv4.ip_unprivileged_port_start of this system.
        first_open: u16,
    },
    /// A mandatory access rule forbids it; on AlmaLinux that is SELinux.
    #[error(
        "cannot listen on {address}: permission denied although the port is open to every user; \
         SELinux may forbid it: semanage port -a -t http_port_t -p tcp {}", .address.port()
    )]
    Forbidden {
        /// What was asked for.
        address: SocketAddr,
    },
    /// Anything else, in the kernel's words.
    #[error("cannot listen on {address}: {call}: {source}")]
    Kernel {
        /// What was asked for.
        address: SocketAddr,
        /// The system call that failed.
        call: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl BindError {
    /// What the address and the port were.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Taken { address, .. }
            | Self::Privileged { address, .. }
            | Self::Forbidden { address }
            | Self::Kernel { address, .. } => *address,
        }
    }

    pub(super) fn of(address: SocketAddr, call: &'static str, source: io::Error) -> Self {
        let first_open = first_unprivileged_port();
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EADDRINUSE) => Self::Taken { address, holder: holder::of(address) },
            Some(Errno::EACCES) if address.port() < first_open => Self::Privileged { address, first_open },
            Some(Errno::EACCES) => Self::Forbidden { address },
            _ => Self::Kernel { address, call, source },
        }
    }
}

fn held_by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| format!(" by {holder}"))
}

/// net.ipv4.ip_unprivileged_port_start, which the operator may have changed; 1024 where it cannot be read (ip-sysctl).
fn first_unprivileged_port() -> u16 {
    let setting = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    setting.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(1024)
}
