//! Logs and figures of this process. Never prompts, answers or keys.

use std::{io::IsTerminal, sync::OnceLock};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::LogSettings;

/// Seconds; from a cached answer to the longest job.
const SECONDS_BUCKETS: [f64; 12] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts writing log lines to standard error, once per process.
pub fn start_logging(settings: &LogSettings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = if settings.json { lines.json().try_init() } else { lines.try_init() };
    started.map_err(|error| anyhow::anyhow!("logging is already set up: {error}"))
}

/// Starts counting, once per process; later calls change nothing.
pub fn start_metrics() {
    METRICS.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&SECONDS_BUCKETS).ok()?;
        builder.install_recorder().ok()
    });
}

/// All figures in Prometheus' text form; empty where nothing is counted.
pub fn render_metrics() -> String {
    METRICS.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
}

/// Old samples are dropped from time to time, so that memory stays bounded.
pub fn upkeep_metrics() {
    if let Some(Some(handle)) = METRICS.get() {
        handle.run_upkeep();
    }
}
