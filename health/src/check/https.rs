//! One request over TLS, answered with an expected status.

use std::net::{IpAddr, SocketAddr};

use fmc_config::model::health_check::HttpsProbe;

use super::attempt::{Answer, Attempt};
use super::error::ProbeError;
use super::http::{self, Expected};
use super::tls::{self, Tls};

/// The `https` check of one server.
#[derive(Debug)]
pub(super) struct Https {
    tls: Tls,
    request: Expected,
}

impl Https {
    pub(super) fn new(probe: &HttpsProbe, address: IpAddr) -> Self {
        let HttpsProbe { tls, path, expect } = probe;
        let host = tls.server_name.clone().unwrap_or_else(|| http::host_of(address));
        let request = Expected { path: path.clone(), host, statuses: *expect };
        Self { tls: Tls::new(tls, address, tls::HTTP_1_1), request }
    }

    pub(super) async fn ask(&self, address: SocketAddr, attempt: &mut Attempt) -> Result<Answer, ProbeError> {
        let Expected { path, host, .. } = &self.request;
        let status = http::get(&self.tls, address, path, host, None, attempt).await?.status;
        self.request.judge(status, attempt)
    }
}
