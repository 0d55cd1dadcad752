//! The measurements: as many jobs as can be at once, and holds at a steady rate.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use assay_gateway::db::{Db, jobs, yardstick};
use assay_tests::ledger::{Crowd, crowd::TOKENS};
use tokio::{task::JoinSet, time::interval};

/// Jobs at once through the writer: some batches' worth.
const WRITER_JOBS: usize = 4_096;
/// Jobs at once with a transaction each: as many as a pool has connections, twice.
const NAIVE_JOBS: usize = 32;
/// Holds a second whose latency is measured, and how many begin together.
const HOLDS_PER_S: u64 = 1_000;
const HOLDS_PER_TICK: u64 = 5;

/// Latencies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Jobs a second, held and settled with all their rows through the writer.
pub(crate) async fn writer(db: &Db, crowd: &Crowd, seconds: u64) -> anyhow::Result<f64> {
    at_once(WRITER_JOBS, seconds, async || {
        let job = crowd.job(&mut rand::rng());
        jobs::open(db, &job).await?;
        jobs::end(db, &crowd.end(&job, &mut rand::rng())).await?;
        Ok(())
    })
    .await
}

/// The same money, a transaction for each hold and each settlement; without the jobs' rows.
pub(crate) async fn naive(db: &Db, crowd: &Crowd, seconds: u64) -> anyhow::Result<f64> {
    let journals = AtomicI64::new(1_000_000_000);
    let journal = || journals.fetch_add(1, Ordering::Relaxed);
    at_once(NAIVE_JOBS, seconds, async || {
        let (job, (settlement, _)) =
            (crowd.job(&mut rand::rng()), crowd.settlement(TOKENS, &mut rand::rng()));
        let held = yardstick::hold(db, journal(), job.id, job.account, job.hold).await?;
        ensure!(held, "everybody has credit enough");
        let fee = crowd.accounts.fee;
        yardstick::settle(db, journal(), job.id, job.account, &settlement, fee).await?;
        Ok(())
    })
    .await
}

/// Does `job` over and over, `many` at once; how many are done a second, after a second of warming up.
async fn at_once(
    many: usize,
    seconds: u64,
    job: impl AsyncFn() -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let began = Instant::now();
    let (warm, end) = (Duration::from_secs(1), Duration::from_secs(seconds + 1));
    let done = AtomicU64::new(0);
    let worker = async || {
        while began.elapsed() < end {
            job().await?;
            if (warm..end).contains(&began.elapsed()) {
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
        anyhow::Ok(())
    };
    futures_util::future::try_join_all((0..many).map(|_| worker())).await?;
    let done = u32::try_from(done.into_inner()).unwrap_or(u32::MAX);
    Ok(f64::from(done) / (end - warm).as_secs_f64())
}

/// How long holds take that come at a steady rate, whether the ones before are done or not; each job is
/// settled as soon as it is held.
pub(crate) async fn steady_holds(db: &Db, crowd: &Crowd, seconds: u64) -> anyhow::Result<Latency> {
    let taken = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut running = JoinSet::new();
    let mut ticks = interval(Duration::from_micros(HOLDS_PER_TICK * 1_000_000 / HOLDS_PER_S));
    for _ in 0..seconds * HOLDS_PER_S / HOLDS_PER_TICK {
        ticks.tick().await;
        for _ in 0..HOLDS_PER_TICK {
            let job = crowd.job(&mut rand::rng());
            let (db, end, taken) = (db.clone(), crowd.end(&job, &mut rand::rng()), taken.clone());
            running.spawn(async move {
                let asked = Instant::now();
                jobs::open(&db, &job).await?;
                let waited_ms = asked.elapsed().as_secs_f64() * 1e3;
                taken.lock().expect("nobody panics with it").push(waited_ms);
                jobs::end(&db, &end).await?;
                anyhow::Ok(())
            });
        }
    }
    running.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let mut taken = std::mem::take(&mut *taken.lock().expect("nobody panics with it"));
    taken.sort_by(f64::total_cmp);
    let quantile = |per_cent: usize| taken[(taken.len() - 1) * per_cent / 100];
    Ok(Latency { p50_ms: quantile(50), p99_ms: quantile(99) })
}
