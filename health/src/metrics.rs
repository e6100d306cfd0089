//! Every metric of this crate: name, unit, labels.
//!
//! | name | kind | unit | labels |
//! |---|---|---|---|
//! | [`PROBES`] | counter | rounds of probes | `backend`, `server`, `result` |
//! | [`PROBE_DURATION`] | histogram | seconds | `backend`, `server` |
//! | [`HEALTHY`] | gauge | 1 healthy, 0 not known to be | `backend`, `server` |
//! | [`KNOWN`] | gauge | 1 there is a verdict, 0 unknown | `backend`, `server` |
//! | [`TRANSITIONS`] | counter | changes of the verdict | `backend`, `server`, `to` |
//! | [`OBSERVATIONS_DROPPED`] | counter | observations | `backend`, `server` |
//!
//! `result` is one of `pass`, `refused`, `unreachable`, `timeout`, `reset`, `tls`, `http`, `reply`, `inconclusive`.

use fmc_config::model::name::{BackendName, ServerName};
use metrics::{Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics::{gauge, histogram};

use crate::outcome::{Failure, Finding, Outcome};
use crate::verdict::{Transition, Verdict};

/// Rounds of probes, by result.
pub const PROBES: &str = "fmc_health_probes_total";
/// From the first SYN to the answer that decided.
pub const PROBE_DURATION: &str = "fmc_health_probe_duration_seconds";
/// Whether a server is believed healthy.
pub const HEALTHY: &str = "fmc_health_server_healthy";
/// Whether a server has a verdict.
pub const KNOWN: &str = "fmc_health_server_known";
/// Changes of a server's verdict.
pub const TRANSITIONS: &str = "fmc_health_transitions_total";
/// Observations without a transition that found the channel full.
pub const OBSERVATIONS_DROPPED: &str = "fmc_health_observations_dropped_total";

/// Describes every metric to the recorder; called once, after it is installed.
pub fn describe() {
    describe_counter!(PROBES, Unit::Count, "rounds of health probes, by result");
    describe_histogram!(PROBE_DURATION, Unit::Seconds, "from the first SYN to the answer that decided");
    describe_gauge!(HEALTHY, Unit::Count, "1: the server is healthy; 0: it is not, or not known to be");
    describe_gauge!(KNOWN, Unit::Count, "1: the server has a verdict; 0: no probe has been conclusive yet");
    describe_counter!(TRANSITIONS, Unit::Count, "changes of a server's verdict, by the new one");
    describe_counter!(OBSERVATIONS_DROPPED, Unit::Count, "observations without news that found their channel full");
}

/// Takes the gauges of a server that is asked no more out of every sum and alert: they become NaN.
pub(crate) fn forget(backend: &BackendName, server: &ServerName) {
    let labels = [("backend", backend.to_string()), ("server", server.to_string())];
    [HEALTHY, KNOWN].into_iter().for_each(|name| gauge!(name, &labels).set(f64::NAN));
}

/// The handles of one server, taken once.
pub(crate) struct ServerMetrics {
    probes: [(Finding, Counter); FINDINGS.len()],
    duration: Histogram,
    healthy: Gauge,
    known: Gauge,
    rises: Counter,
    falls: Counter,
    dropped: Counter,
}

const FINDINGS: [Finding; 10] = [
    Finding::Pass,
    Finding::Fail(Failure::Refused),
    Finding::Fail(Failure::Unreachable),
    Finding::Fail(Failure::Timeout),
    Finding::Fail(Failure::Reset),
    Finding::Fail(Failure::Tls),
    Finding::Fail(Failure::Http),
    Finding::Fail(Failure::Reply),
    Finding::Fail(Failure::Clients),
    Finding::Inconclusive,
];

impl ServerMetrics {
    pub(crate) fn new(backend: &BackendName, server: &ServerName) -> Self {
        let labels = [("backend", backend.to_string()), ("server", server.to_string())];
        let with = |name, value: &str| {
            let [backend, server] = labels.clone();
            [backend, server, (name, value.to_owned())]
        };
        let metrics = Self {
            probes: FINDINGS.map(|finding| (finding, counter!(PROBES, &with("result", finding.as_str())))),
            duration: histogram!(PROBE_DURATION, &labels),
            healthy: gauge!(HEALTHY, &labels),
            known: gauge!(KNOWN, &labels),
            rises: counter!(TRANSITIONS, &with("to", Verdict::Healthy.as_str())),
            falls: counter!(TRANSITIONS, &with("to", Verdict::Unhealthy.as_str())),
            dropped: counter!(OBSERVATIONS_DROPPED, &labels),
        };
        metrics.verdict(Verdict::Unknown);
        metrics
    }

    /// Counts one round and what is believed after it.
    pub(crate) fn observed(&self, outcome: &Outcome, verdict: Verdict, transition: Option<Transition>) {
        for (finding, counter) in &self.probes {
            if *finding == outcome.finding {
                counter.increment(1);
            }
        }
        self.duration.record(outcome.latency);
        self.verdict(verdict);
        match transition.map(|transition| transition.to) {
            Some(Verdict::Healthy) => self.rises.increment(1),
            Some(Verdict::Unhealthy) => self.falls.increment(1),
            Some(Verdict::Unknown) | None => {}
        }
    }

    pub(crate) fn observation_dropped(&self) {
        self.dropped.increment(1);
    }

    fn verdict(&self, verdict: Verdict) {
        self.healthy.set(u8::from(verdict == Verdict::Healthy));
        self.known.set(u8::from(verdict != Verdict::Unknown));
    }
}

impl std::fmt::Debug for ServerMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerMetrics").finish_non_exhaustive()
    }
}
