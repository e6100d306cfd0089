//! Many K3s ladders against one server, for `tests/go-apiserver/run`.
//!
//! `ladder climb ADDRESS TIMES CA_FILE TOKEN_FILE` fails unless every check passes; `ladder cut ADDRESS` leaves in the
//! middle of a TLS handshake, as a plain TCP check does.

use std::net::SocketAddr;
use std::time::Duration;

use fmc_config::model::health_check::{HealthCheck, K3sApiProbe, Probe, TlsProbe};
use fmc_health::{Check, Rung};

type Failed = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["cut", address] => cut(address).await,
        ["climb", address, times, ca_file, token_file] => {
            climb(address.parse()?, times.parse()?, ca_file, token_file).await
        }
        _ => Err("ladder cut ADDRESS | ladder climb ADDRESS TIMES CA_FILE TOKEN_FILE".into()),
    }
}

async fn cut(address: &str) -> Result<(), Failed> {
    drop(tokio::net::TcpStream::connect(address).await?);
    Ok(())
}

async fn climb(address: SocketAddr, times: u32, ca_file: &str, token_file: &str) -> Result<(), Failed> {
    let tls = TlsProbe { ca_file: Some(ca_file.into()), ..TlsProbe::default() };
    let check = Check::new(&every_second(K3sApiProbe { tls, token_file: Some(token_file.into()) }), address.ip());
    let mut ready = 0;
    for time in 1..=times {
        let outcome = check.probe(address).await;
        if !outcome.passed() {
            return Err(format!("check {time} failed: {outcome}").into());
        }
        ready += u32::from(outcome.rung == Some(Rung::Readyz));
    }
    eprintln!("{times} checks of {address} passed, {ready} of them on /readyz");
    Ok(())
}

fn every_second(probe: K3sApiProbe) -> HealthCheck {
    let second = Duration::from_secs(1);
    let (interval, fast_interval, timeout) = (second, second, second * 5);
    HealthCheck {
        track: None,
        probe: Probe::K3sApi(probe),
        port: None,
        interval,
        fast_interval,
        timeout,
        rise: 1,
        fall: 1,
    }
}
