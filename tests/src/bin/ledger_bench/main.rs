//! `cargo xtask bench ledger` runs this: jobs a second of the writer and of the naive design on both engines,
//! the latency of a hold at a steady rate, how fast the disk is, and how fast an audit reads.

mod disk;
mod measure;

use std::{fs, path::PathBuf, time::Instant};

use anyhow::{Context, ensure};
use assay_gateway::{audit::audit, auth::GatewayKeys, db::Db, sealer::seal_all};
use assay_tests::{ledger::Crowd, postgres::PostgresServer};
use clap::Parser;
use serde_json::{Map, Value, json};

/// Few of the clients ask often (Zipf).
const CLIENTS: i64 = 10_000;
const NODES: i64 = 300;

#[derive(Debug, Parser)]
#[command(name = "ledger-bench", version)]
struct Cli {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Where the databases are made, and removed again; the disk that is measured.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only this engine.
    #[arg(long, value_parser = ["sqlite", "postgres"])]
    only: Option<String>,
    /// Writes the results to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let folder = match &cli.folder {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.context("a folder for the databases")?;
    let wanted = |engine: &str| cli.only.as_deref().is_none_or(|only| only == engine);
    let mut results = Results::default();
    let fsync_per_s = disk::fsyncs_per_s(folder.path())?;
    results.main("fsync_per_s", fsync_per_s);
    if wanted("sqlite") {
        let path = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
        let (a, b) = (path("a.db"), path("b.db"));
        measure_engine("sqlite", [&a, &b], cli.seconds, fsync_per_s, &mut results).await?;
    }
    if wanted("postgres") {
        match PostgresServer::durable().await {
            Some(server) => {
                let urls = [server.database("a").await, server.database("b").await];
                let urls = [urls[0].as_str(), urls[1].as_str()];
                measure_engine("postgres", urls, cli.seconds, fsync_per_s, &mut results).await?;
            }
            None => eprintln!("PostgreSQL is not installed (Debian: postgresql): not measured"),
        }
    }
    for (key, value) in results.main.iter().chain(&results.also) {
        println!("  {key:<32}{:>14.3}", value.as_f64().unwrap_or_default());
    }
    if let Some(path) = &cli.json {
        let report = json!({
            "format": "assay-bench/1", "bench": "ledger", "errors": 0,
            "results": results.main, "also": results.also,
        });
        fs::write(path, format!("{report:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// What is promised, and what is measured besides.
#[derive(Debug, Default)]
struct Results {
    main: Map<String, Value>,
    also: Map<String, Value>,
}

impl Results {
    fn main(&mut self, key: impl Into<String>, value: f64) {
        self.main.insert(key.into(), value.into());
    }

    fn also(&mut self, key: impl Into<String>, value: f64) {
        self.also.insert(key.into(), value.into());
    }
}

/// The writer on a fresh database, the naive design on another one.
async fn measure_engine(
    engine: &str,
    [ours, naive]: [&str; 2],
    seconds: u64,
    fsync_per_s: f64,
    results: &mut Results,
) -> anyhow::Result<()> {
    let db = fresh(ours).await?;
    let crowd = Crowd::with_credit(&db, CLIENTS, NODES).await?;
    let jobs_per_s = measure::writer(&db, &crowd, seconds).await?;
    results.main(format!("{engine}_jobs_per_s"), jobs_per_s);
    let holds = measure::steady_holds(&db, &crowd, seconds).await?;
    if engine == "sqlite" {
        results.main("hold_p50_ms", holds.p50_ms);
        results.also("hold_p50_in_fsyncs", holds.p50_ms / 1e3 * fsync_per_s);
        results.main("hold_p99_ms", holds.p99_ms);
    } else {
        results.also(format!("{engine}_hold_p50_ms"), holds.p50_ms);
        results.also(format!("{engine}_hold_p99_ms"), holds.p99_ms);
    }
    let began = Instant::now();
    let keys = GatewayKeys::from_seed([7; 32]);
    let mut sealed = 0;
    loop {
        match seal_all(&db, &keys).await? {
            0 => break,
            more => sealed += more,
        }
    }
    let sealed = f64::from(u32::try_from(sealed)?);
    results.also(format!("{engine}_sealed_per_s"), sealed / began.elapsed().as_secs_f64());
    let began = Instant::now();
    let report = audit(&db).await?;
    ensure!(report.is_clean(), "the books after the benchmark: {report}");
    ensure!(report.sealed == report.journals, "the audit follows every seal: {report}");
    let entries = f64::from(u32::try_from(report.entries)?);
    results.also(format!("{engine}_audit_entries"), entries);
    let entries_per_s = entries / began.elapsed().as_secs_f64();
    results.also(format!("{engine}_audit_entries_per_s"), entries_per_s);
    eprintln!("{engine}: {}", report.to_string().replace('\n', "; "));
    db.close().await;

    let db = fresh(naive).await?;
    let crowd = Crowd::with_credit(&db, CLIENTS, NODES).await?;
    let naive_jobs_per_s = measure::naive(&db, &crowd, seconds).await?;
    results.main(format!("{engine}_naive_jobs_per_s"), naive_jobs_per_s);
    results.also(format!("{engine}_over_naive"), jobs_per_s / naive_jobs_per_s);
    db.close().await;
    Ok(())
}

async fn fresh(url: &str) -> anyhow::Result<Db> {
    let db = Db::open(url).await?;
    db.migrate().await?;
    Ok(db)
}
