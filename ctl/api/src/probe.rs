//! `POST /v1/probe`: one health check, now, with every step it took. It changes nothing: no verdict, no metric.

use std::net::SocketAddr;

use fmc_config::model::name::{BackendName, ServerName};
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::word::Health;

/// Body of `POST /v1/probe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Its backend.
    pub backend: BackendName,
    /// The server to ask.
    pub server: ServerName,
}

/// What the probe found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// The answering node's clock.
    pub now: Moment,
    /// Its backend.
    pub backend: BackendName,
    /// The server that was asked.
    pub server: ServerName,
    /// Every port passed.
    pub passed: bool,
    /// What the scheduled checks believe of it; this probe does not count.
    pub health: Health,
    /// One for each port, in the order asked; empty when no frontend sends clients to the server.
    pub ports: Vec<PortProbe>,
}

/// The probe of one port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortProbe {
    /// What was asked.
    pub address: SocketAddr,
    /// It answered as it should.
    pub passed: bool,
    /// `pass`, how it failed (`refused`, `timeout`, ...) or `inconclusive`: the label `result` of `fmc_health_probes_total`.
    pub result: String,
    /// What came back, in words.
    pub words: String,
    /// Until the answer that decided.
    pub latency_ms: f64,
    /// In the order taken.
    pub steps: Vec<ProbeStep>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeStep {
    /// From the start of this port's probe until the step was done.
    pub at_ms: f64,
    /// What was done, and what came of it.
    pub words: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_short_and_a_misspelled_field_is_refused() {
        let probe: Probe = serde_json::from_str(r#"{"backend":"masters","server":"master1"}"#).unwrap();
        assert_eq!(probe.server.as_str(), "master1");
        assert!(serde_json::from_str::<Probe>(r#"{"backend":"masters","server":"master1","deep":true}"#).is_err());
    }
}
