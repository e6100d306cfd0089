//! One instance in a network namespace: addresses, VRIDs and the labels of ours are its own.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use anyhow::{Context, Result, bail};

/// Held as long as the process lives, however it ends. An abstract unix socket (unix(7)): it belongs to the network
/// namespace, and no file is left behind.
#[derive(Debug)]
pub(crate) struct Instance(#[expect(dead_code, reason = "held, never used")] UnixDatagram);

impl Instance {
    /// Becomes the one instance. Errors say that another one runs.
    pub(crate) fn lock() -> Result<Self> {
        let name = SocketAddr::from_abstract_name(b"fmc-lb").context("no abstract socket")?;
        match UnixDatagram::bind_addr(&name) {
            Ok(socket) => Ok(Self(socket)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                bail!("another fmc-lb runs in this network namespace; stop it first: systemctl stop fmc-lb")
            }
            Err(error) => Err(error).context("cannot lock the network namespace"),
        }
    }
}
