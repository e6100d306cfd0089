//! One request over TLS, answered with an expected status.

use std::net::{Ipv4Addr, SocketAddr};

use fmc_config::model::health_check::HttpsProbe;

use super::attempt::{Answer, Attempt};
use super::error::ProbeError;
use super::http;
use super::tls::{self, Tls};

/// The `https` check of one server.
#[derive(Debug)]
pub(super) struct Https {
    tls: Tls,
    path: String,
    host: String,
    expect: (u16, u16),
}

impl Https {
    pub(super) fn new(probe: &HttpsProbe, address: Ipv4Addr) -> Self {
        let HttpsProbe { tls, path, expect } = probe;
        let host = tls.server_name.clone().unwrap_or_else(|| address.to_string());
        Self { tls: Tls::new(tls, address, tls::HTTP_1_1), path: path.clone(), host, expect: *expect }
    }

    pub(super) async fn ask(&self, address: SocketAddr, attempt: &mut Attempt) -> Result<Answer, ProbeError> {
        let Self { tls, path, host, expect: (least, most) } = self;
        let status = http::get(tls, address, path, host, None, attempt).await?.status;
        if (*least..=*most).contains(&status) {
            return Ok(attempt.answer(format!("HTTP {status} from {path}"), None));
        }
        Err(ProbeError::Status { status, path: path.clone(), because: None, rung: None })
    }
}
