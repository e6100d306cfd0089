//! One probe of one address: what is asked, under one deadline, answered by an [`Outcome`].
//!
//! An `Attempt` is one probe. The kinds (`tcp`, `tls`, `http`, `https`, `send_expect`, `command`, `k3s_api`) ask and answer, the attempt keeps the
//! deadline and every connection that was opened, and all of them are parted with politely once the outcome is stamped.
//! So no kind can forget a `close_notify`, and a server's log stays silent about us.

mod attempt;
mod command;
mod error;
mod http;
mod https;
mod k3s_api;
mod send_expect;
mod tcp;
mod tls;
mod trust;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fmc_config::model::health_check::{HealthCheck, Probe};

use crate::outcome::Outcome;
use crate::step::{Step, Trace};
use attempt::Attempt;
use error::ProbeError;
pub use http::{MAX_BODY, MAX_HEADER};

/// How one server is asked. Built once and used for every probe, so that TLS configurations are shared.
#[derive(Debug)]
pub struct Check {
    kind: Kind,
    timeout: Duration,
}

#[derive(Debug)]
enum Kind {
    Tcp,
    Tls(tls::Tls),
    Http(http::Http),
    Https(https::Https),
    SendExpect(send_expect::SendExpect),
    Command(command::Command),
    K3sApi(k3s_api::K3sApi),
}

impl Check {
    /// The check of a server that is asked at `address`. Opens no file: what is wrong with one is said by each probe that needs it,
    /// and mended by the next one after the file is.
    pub fn new(check: &HealthCheck, address: IpAddr) -> Self {
        let kind = match &check.probe {
            Probe::Tcp => Kind::Tcp,
            Probe::Tls(probe) => Kind::Tls(tls::Tls::new(probe, address, tls::NO_ALPN)),
            Probe::Http(probe) => Kind::Http(http::Http::new(probe, address)),
            Probe::Https(probe) => Kind::Https(https::Https::new(probe, address)),
            Probe::SendExpect(probe) => Kind::SendExpect(send_expect::SendExpect::new(probe)),
            Probe::Command(probe) => Kind::Command(command::Command::new(probe)),
            Probe::K3sApi(probe) => Kind::K3sApi(k3s_api::K3sApi::new(probe, address)),
        };
        Self { kind, timeout: check.timeout }
    }

    /// Asks once. Answers by the check's timeout; up to 100 ms more for each connection go into closing the connection.
    /// Cancelling drops the connection where it stands, without `close_notify`.
    pub async fn probe(&self, address: SocketAddr) -> Outcome {
        self.attempt(address, Attempt::start(self.timeout)).await.0
    }

    /// As [`Check::probe`], with every step that was taken.
    pub async fn inspect(&self, address: SocketAddr) -> (Outcome, Vec<Step>) {
        self.attempt(address, Attempt::traced(self.timeout, Trace::On(Vec::new()))).await
    }

    async fn attempt(&self, address: SocketAddr, mut attempt: Attempt) -> (Outcome, Vec<Step>) {
        let answer = match &self.kind {
            Kind::Tcp => tcp::ask(address, &mut attempt).await,
            Kind::Tls(tls) => tls.ask(address, &mut attempt).await,
            Kind::Http(http) => http.ask(address, &mut attempt).await,
            Kind::Https(https) => https.ask(address, &mut attempt).await,
            Kind::SendExpect(question) => question.ask(address, &mut attempt).await,
            Kind::Command(command) => command.ask(address, &mut attempt).await,
            Kind::K3sApi(ladder) => ladder.ask(address, &mut attempt).await,
        };
        let outcome = attempt.outcome(answer);
        attempt.step(|| outcome.detail.clone());
        (outcome, attempt.part().await)
    }

    /// The outcome of a probe that panicked.
    pub(crate) fn defect() -> Outcome {
        Attempt::start(Duration::ZERO).outcome(Err(ProbeError::Defect))
    }
}
