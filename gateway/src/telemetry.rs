//! Logs and figures of this process. Never prompts, answers or keys.

use std::{io::IsTerminal, sync::OnceLock};

use metrics::Unit;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::LogSettings;

/// Seconds; from a cached answer to the longest job.
const SECONDS_BUCKETS: [f64; 12] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// Counters that are one number, with what they say: there before anything was counted, or whoever watches their growth
/// misses the first of them.
const COUNTED: [(&str, &str); 7] = [
    ("assay_bans_total", "Nodes that were banned on proof."),
    ("assay_node_violations_total", "Sessions that ended because a node broke the protocol."),
    ("assay_scorer_disputes_total", "Scorers that contradicted each other."),
    ("assay_settlements_refused_total", "Ends of jobs that the store refused for good."),
    ("assay_orphans_set_aside_total", "Jobs of a gateway that stopped which cannot be ended."),
    ("assay_top_ups_total", "Payments that were credited."),
    ("assay_webhooks_refused_total", "Webhooks that were not the payment provider's."),
];
/// Counters with labels.
const COUNTED_BY: [(&str, &str); 5] = [
    ("assay_http_requests_total", "Requests, by method, route and status."),
    ("assay_jobs_total", "Jobs that ended, by state."),
    ("assay_audits_total", "Audits of answers that agreed, by result."),
    ("assay_self_tests_total", "Self-tests of nodes, by result."),
    ("assay_quarantines_total", "Nodes that were put out for a while, by code."),
];
const LEVELS: [(&str, &str); 5] = [
    ("assay_audits_waiting", "Audits that wait for a scorer."),
    ("assay_common_mode_brake", "1 while independent owners of a class fail together."),
    ("assay_log_entries", "Entries of the log of receipts."),
    ("assay_log_seal_lag_seconds", "How long entries waited for their last seal."),
    ("assay_books_clean", "1 if the last audit of the books found nothing wrong."),
];
const SECONDS: [(&str, &str); 2] = [
    ("assay_http_request_seconds", "From a request to its answer's beginning, by route."),
    ("assay_score_seconds", "What a scorer took for one answer."),
];

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
        let handle = builder.install_recorder().ok()?;
        describe();
        Some(handle)
    });
}

fn describe() {
    for (name, words) in COUNTED {
        metrics::describe_counter!(name, words);
        metrics::counter!(name).increment(0);
    }
    for (name, words) in COUNTED_BY {
        metrics::describe_counter!(name, words);
    }
    for (name, words) in LEVELS {
        metrics::describe_gauge!(name, words);
    }
    for (name, words) in SECONDS {
        metrics::describe_histogram!(name, Unit::Seconds, words);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_there_before_it_happens_and_says_what_it_is() {
        start_metrics();
        let text = render_metrics();
        for (name, words) in COUNTED {
            assert!(text.contains(&format!("# HELP {name} {words}\n")), "{text}");
            assert!(text.contains(&format!("\n{name} 0\n")), "{text}");
        }
    }
}
