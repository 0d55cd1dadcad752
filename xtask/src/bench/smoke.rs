//! Short chats from a few clients at once over kept-alive connections: does all of it work together,
//! and about how fast.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

use super::report::Report;
use crate::{
    binaries::Binaries,
    demo::{Settings, World},
    http::Http,
    stop::Stop,
};

const CLIENTS: usize = 4;
/// Unmeasured, so that connections are open and caches warm.
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(10);

/// A request that was answered while we measured.
#[derive(Clone, Copy, Debug)]
struct Sample {
    latency_ms: f64,
    tokens: u64,
}

/// What one client saw.
#[derive(Debug, Default)]
struct Seen {
    samples: Vec<Sample>,
    errors: u64,
    last_error: Option<String>,
}

pub(super) fn run(binaries: &Binaries, stop: &Stop) -> anyhow::Result<Report> {
    let world = World::start(&settings(), binaries, stop)?;
    let began = Instant::now();
    let seen = thread::scope(|scope| {
        let world = &world;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || drive(world, number, began, stop)))
            .collect();
        clients.into_iter().filter_map(|client| client.join().ok()).collect::<Vec<_>>()
    });
    stop.pause(Duration::ZERO)?;
    world.audit(stop).context("the books after the benchmark")?;
    world.end();
    Ok(report(&seen))
}

/// Rates far above what a demo reaches: they are not what is measured.
fn settings() -> Settings {
    let rate = |key: &str| (format!("ASSAY_RATE_LIMIT_{key}"), "100000".to_owned());
    Settings { gateway_env: vec![rate("PER_SECOND"), rate("BURST")], ..Settings::default() }
}

/// One client: the next request when the last one is answered.
fn drive(world: &World, client: usize, began: Instant, stop: &Stop) -> Seen {
    let (http, url) = (Http::new(), format!("{}/chat/completions", world.base_url()));
    let mut seen = Seen::default();
    let mut number = client;
    while began.elapsed() < WARM_UP + MEASURED && stop.pause(Duration::ZERO).is_ok() {
        let chat = world.chat(&format!("What is {} + {}?", number % 10, number / 10 % 10));
        number += CLIENTS;
        let sent = Instant::now();
        let error = match http.post(&url, &world.key, &chat) {
            Ok(answer) if answer.is_ok() => {
                let tokens = answer.body["usage"]["completion_tokens"].as_u64().unwrap_or(0);
                let latency_ms = sent.elapsed().as_secs_f64() * 1e3;
                if (WARM_UP..WARM_UP + MEASURED).contains(&began.elapsed()) {
                    seen.samples.push(Sample { latency_ms, tokens });
                }
                continue;
            }
            Ok(answer) => format!("{}: {}", answer.status, answer.said()),
            Err(error) => format!("{error:#}"),
        };
        seen.errors += 1;
        seen.last_error = Some(error);
    }
    seen
}

fn report(seen: &[Seen]) -> Report {
    let samples: Vec<Sample> = seen.iter().flat_map(|seen| &seen.samples).copied().collect();
    let mut latencies: Vec<f64> = samples.iter().map(|sample| sample.latency_ms).collect();
    latencies.sort_by(f64::total_cmp);
    let seconds = MEASURED.as_secs_f64();
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let tokens: u64 = samples.iter().map(|sample| sample.tokens).sum();
    let tokens = f64::from(u32::try_from(tokens).unwrap_or(u32::MAX));
    if let Some(error) = seen.iter().find_map(|seen| seen.last_error.as_ref()) {
        eprintln!("a request failed: {error}");
    }
    let mut report = Report::default();
    report.add("clients", count(CLIENTS), "");
    report.add("seconds", seconds, "s");
    report.add("requests", count(samples.len()), "");
    report.add("requests_per_s", count(samples.len()) / seconds, "1/s");
    report.add("latency_p50_ms", quantile(&latencies, 50), "ms");
    report.add("latency_p99_ms", quantile(&latencies, 99), "ms");
    report.add("output_tokens_per_s", tokens / seconds, "1/s");
    report.add_errors(seen.iter().map(|seen| seen.errors).sum());
    report
}

/// The smallest value that `percent` of all values do not exceed; 0 of none.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((quantile(&values, 50), quantile(&values, 99)), (100.0, 198.0));
        assert_eq!(
            (quantile(&[7.0], 50), quantile(&[7.0], 99), quantile(&[], 99)),
            (7.0, 7.0, 0.0)
        );
    }
}
