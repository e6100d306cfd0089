//! A door from this machine into the lab: a local port that leads to a port inside a namespace.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use fmc_tests::namespace::Namespace;

/// Opens 127.0.0.1:`wanted` here, or another port when that is taken, and leads it to `target` as seen by `machine`.
///
/// # Errors
/// When no local port can be had.
pub(crate) fn open(machine: &Namespace, target: SocketAddr, wanted: u16) -> io::Result<SocketAddr> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = bind(wanted).or_else(|_taken| bind(0))?;
    let local = listener.local_addr()?;
    let door = Arc::new(machine.door());
    thread::spawn(move || {
        for visitor in listener.incoming().flatten() {
            let door = Arc::clone(&door);
            thread::spawn(move || drop(carry(visitor, || door.run(|| TcpStream::connect(target)))));
        }
    });
    Ok(local)
}

fn carry(visitor: TcpStream, connect: impl FnOnce() -> io::Result<TcpStream>) -> io::Result<()> {
    let inside = connect()?;
    let (from_visitor, from_inside) = (visitor.try_clone()?, inside.try_clone()?);
    let back = thread::spawn(move || pour(&from_inside, &visitor));
    pour(&from_visitor, &inside)?;
    back.join().unwrap_or(Ok(()))
}

fn pour(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}
