//! A `server` line as a server of ours.

use std::net::IpAddr;

use crate::draft::ServerTable;
use crate::haproxy::server::Server;
use crate::ledger::{Fate, Ledger};

/// The server; `None`: it was refused.
pub(super) fn read(server: &Server, ledger: &mut Ledger) -> Option<ServerTable> {
    let options = &server.options;
    for (fate, words) in &options.remarks {
        // An option that is dropped changes the line; the server is still there.
        let fate = if *fate == Fate::Dropped { Fate::Changed } else { *fate };
        ledger.note(server.at, fate, words.clone());
    }
    let (address, port) = match place(&server.address) {
        Ok(place) => place,
        Err(words) => {
            ledger.refuse(server.at, words);
            return None;
        }
    };
    if ledger.is_refused(server.at) {
        return None;
    }
    told(server, ledger);
    Some(ServerTable {
        address,
        port,
        weight: if options.disabled { Some(0) } else { options.weight.filter(|weight| *weight != 1) },
        max_connections: options.max_connections,
        backup: options.backup.then_some(true),
        check_address: options
            .check_address
            .as_ref()
            .and_then(|text| text.parse().ok())
            .filter(|other| *other != address),
    })
}

fn told(server: &Server, ledger: &mut Ledger) {
    let (at, options) = (server.at, &server.options);
    ledger.kept(at, "servers of the backend");
    if options.disabled {
        ledger.changed(at, "disabled: weight = 0, which takes nobody; remove the weight to use it");
    }
    if !options.check && options.track.is_none() {
        ledger
            .changed(at, "HAProxy never checks it and sends clients to it dead or alive; here every server is checked");
    }
    if options.proxy_protocol == Some(1) {
        ledger.changed(at, "version 2 of the PROXY protocol: see that the server reads it");
    }
}

fn place(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    let families = ["ipv4@", "tcp4@", "ipv6@", "tcp6@"];
    let text = families.iter().find_map(|family| text.strip_prefix(family)).unwrap_or(text);
    let (address, port) = host_and_port(text);
    let address = address.parse::<IpAddr>().map_err(|_| match text {
        text if text.starts_with('/') || text.contains('@') => format!("{text} is no TCP server"),
        text => format!(
            "{text:?} is no address: write its address, or the name by hand, which is then asked for at run time ([dns])"
        ),
    })?;
    let port = match port.filter(|port| !port.is_empty()) {
        None => None,
        Some(port) if port.starts_with(['+', '-']) => {
            return Err(format!(
                "{port} counts from the client's port: map ports in the frontend, `ports = {{ 80 = 8080 }}`"
            ));
        }
        Some(port) => {
            Some(port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(|| format!("{port:?} is no port"))?)
        }
    };
    Ok((address.to_canonical(), port))
}

/// What follows the last colon is the port, also behind an IPv6 address without brackets.
fn host_and_port(text: &str) -> (&str, Option<&str>) {
    let bare = |text: &'_ str| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    match text.rsplit_once(':') {
        Some((address, port)) if bare(address) || !address.contains(':') => (unbracketed(address), Some(port)),
        _ => (unbracketed(text), None),
    }
}

/// Without the brackets that an IPv6 address may stand in.
pub(super) fn unbracketed(address: &str) -> &str {
    address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address)
}

/// Says of a server that belongs to a backend that was refused.
pub(super) fn leave_out(server: &Server, why: &str, ledger: &mut Ledger) {
    ledger.note(server.at, Fate::Refused, why);
}
