//! `/metrics`: the Prometheus text format, rendered from the process's recorder, and the histograms that no recorder holds.

mod histogram;

use anyhow::{Context, Result};
use fmc_lb::CONNECT_BOUNDS;
use fmc_lb::metrics::SERVER_CONNECT_DURATION;
use fmc_vrrp::driver::LATENESS_BOUNDS;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::response::Answer;
use crate::proxy::appliance::Appliance;
use crate::proxy::metrics;
use histogram::Histogram;

/// Upper bounds of every `_seconds` histogram of the recorder: from a LAN handshake to a timeout.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Installs the recorder that every crate of this process writes to.
pub(crate) fn install() -> Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets(SECONDS).context("histogram bounds")?;
    builder.install_recorder().context("cannot install the metrics recorder")
}

/// The whole page.
pub(crate) fn answer(appliance: &Appliance) -> Answer {
    fmc_lb::metrics::publish(&appliance.data_plane, &mut appliance.ledger.borrow_mut());
    metrics::publish(appliance);
    let mut text = appliance.recorder.render();
    connect_durations(appliance).write(&mut text);
    wake_lateness(appliance).write(&mut text);
    Answer::text("text/plain; version=0.0.4; charset=utf-8", text)
}

fn connect_durations(appliance: &Appliance) -> Histogram {
    let mut histogram =
        Histogram::new(SERVER_CONNECT_DURATION, "Time that accepted connections took to open", &CONNECT_BOUNDS);
    for (labels, counted) in fmc_lb::metrics::connect_durations(&appliance.data_plane) {
        histogram.add(&labels, &counted.counts, counted.sum);
    }
    histogram
}

/// Without a keeper there is none: its counts end with it, which is a reset as Prometheus knows it.
fn wake_lateness(appliance: &Appliance) -> Histogram {
    let help = "How late the election thread woke";
    let mut histogram = Histogram::new(metrics::WAKE_LATENESS, help, &LATENESS_BOUNDS);
    if let Some(snapshot) = &appliance.snapshot {
        histogram.add(&[], &snapshot.lateness.counts, snapshot.lateness.sum);
    }
    histogram
}
