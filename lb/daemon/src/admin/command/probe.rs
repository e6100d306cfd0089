//! `probe`: one health check for a person who asks why.

use std::time::Duration;

use fmc_api::probe::{PortProbe, Probe, ProbeAnswer, ProbeStep};
use fmc_api::{Refusal, RefusalKind};
use fmc_health::{Inspected, Step};

use crate::admin::read;
use crate::admin::response::Answer;
use crate::proxy::appliance::Shared;

/// Asks the server once, on this task; the schedule of its checks goes on beside it.
pub(crate) async fn answer(wanted: &Probe, shared: &Shared) -> Result<Answer, Refusal> {
    let Probe { backend, server } = wanted;
    let inspection = shared.borrow().checker.inspect(backend, server).ok_or_else(|| {
        let error = format!("there is no server {backend}/{server}");
        Refusal::new(RefusalKind::NotFound, error, "list them with fmc-lbctl backends")
    })?;
    let ports: Vec<_> = inspection.run().await.into_iter().map(port).collect();
    Ok(Answer::json(&ProbeAnswer {
        now: read::now(),
        backend: backend.clone(),
        server: server.clone(),
        passed: !ports.is_empty() && ports.iter().all(|port| port.passed),
        health: read::health_of(&shared.borrow(), backend, server),
        ports,
    }))
}

fn port(inspected: Inspected) -> PortProbe {
    let Inspected { address, outcome, steps } = inspected;
    PortProbe {
        address,
        passed: outcome.passed(),
        result: outcome.finding.as_str().to_owned(),
        words: outcome.detail,
        latency_ms: millis(outcome.latency),
        steps: steps.into_iter().map(|Step { at, words }| ProbeStep { at_ms: millis(at), words }).collect(),
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}
