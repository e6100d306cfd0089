//! Every kind of probe against real servers on loopback: what it says about them, and what they see of it.

#![allow(clippy::unwrap_used)] // also in what serves the tests; clippy.toml allows it in test functions only

mod authority;
mod checker;
mod command;
mod http;
mod https;
mod k3s_api;
mod send_expect;
mod server;
mod tcp;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use fmc_config::model::health_check::{HealthCheck, Probe};
use fmc_health::{Check, Outcome};

/// Long enough for a loaded machine, short where a test waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// One probe of `address` with a generous timeout.
async fn probe(probe: Probe, address: SocketAddr) -> Outcome {
    probe_within(probe, address, TIMEOUT).await
}

async fn probe_within(probe: Probe, address: SocketAddr, timeout: Duration) -> Outcome {
    Check::new(&health_check(probe, timeout), address.ip()).probe(address).await
}

fn health_check(probe: Probe, timeout: Duration) -> HealthCheck {
    let interval = Duration::from_secs(2);
    HealthCheck { track: None, probe, port: None, interval, fast_interval: interval / 4, timeout, rise: 2, fall: 3 }
}
