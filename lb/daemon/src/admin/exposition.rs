//! `/metrics`: the Prometheus text format, rendered from the process's recorder.

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::response::Answer;

/// Upper bounds of every `_seconds` histogram: from a LAN handshake to a timeout.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Installs the recorder that every crate of this process writes to.
pub(crate) fn install() -> Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets(SECONDS).context("histogram bounds")?;
    builder.install_recorder().context("cannot install the metrics recorder")
}

/// The whole page.
pub(crate) fn answer(recorder: &PrometheusHandle, data_plane: &fmc_lb::Handle) -> Answer {
    fmc_lb::metrics::publish(data_plane);
    Answer::text("text/plain; version=0.0.4; charset=utf-8", recorder.render())
}
