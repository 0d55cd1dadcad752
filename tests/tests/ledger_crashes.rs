//! Processes that move money are killed, at every named point and at random moments: nothing that was acknowledged
//! is lost, nothing happens twice, no hold stays open, and the audit is clean.

use std::{env, time::Duration};

use assay_tests::{ledger::Books, postgres::PostgresServer};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Commits around which a process can kill itself.
const COMMITS: [&str; 4] = ["hold", "checkpoint", "settle", "release"];
const MOMENTS: [&str; 2] = ["before", "after"];
/// How often a point is passed before the process ends there; the number is the seed, too.
const SEEDS: [u64; 3] = [1, 5, 17];
/// Kills at random moments in every run of the tests, and in the long form.
const KILLS: usize = 8;
const KILLS_LONG: usize = 200;
/// Jobs that must have ended before a kill, so that it hits a process at work.
const JOBS_BEFORE: usize = 3;
const MOMENT_MAX_MS: u64 = 120;

fn kills() -> usize {
    if env::var_os("ASSAY_TEST_LONG").is_some() { KILLS_LONG } else { KILLS }
}

async fn every_point(mut books: Books) {
    for seed in SEEDS {
        for commit in COMMITS {
            for moment in MOMENTS {
                let point = format!("{commit}/{moment}/{seed}");
                let mut worker = books.start("gateway", seed, Some(&point));
                worker.killed_itself().await;
                books.recover(&worker).await;
            }
        }
        books.are_clean().await;
    }
}

#[tokio::test]
async fn a_process_killed_at_any_commit_loses_and_doubles_nothing_on_sqlite() {
    every_point(Books::fresh(None).await).await;
}

#[tokio::test]
async fn a_process_killed_at_any_commit_loses_and_doubles_nothing_on_postgresql() {
    let Some(server) = PostgresServer::start().await else {
        eprintln!("PostgreSQL is not installed: not tested on it");
        return;
    };
    every_point(Books::fresh(Some(server.database("crashes").await)).await).await;
}

#[tokio::test]
async fn kills_at_random_moments_lose_and_double_nothing_on_sqlite() {
    let mut books = Books::fresh(None).await;
    let mut dice = StdRng::seed_from_u64(31);
    for kill in 0..kills() {
        let mut worker = books.start("gateway", kill as u64, None);
        worker.has_ended(JOBS_BEFORE).await;
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..MOMENT_MAX_MS))).await;
        worker.kill_nine();
        books.recover(&worker).await;
        if kill % 10 == 0 {
            books.are_clean().await;
        }
    }
    books.are_clean().await;
}

/// Two at once on one database: one is killed and its jobs are ended while the other goes on.
#[tokio::test]
async fn kills_at_random_moments_lose_and_double_nothing_on_postgresql() {
    let Some(server) = PostgresServer::start().await else {
        eprintln!("PostgreSQL is not installed: not tested on it");
        return;
    };
    let mut books = Books::fresh(Some(server.database("kills").await)).await;
    let mut dice = StdRng::seed_from_u64(32);
    for kill in (0..kills()).step_by(2) {
        let mut workers =
            ["one", "two"].map(|gateway| books.start(gateway, (kill + gateway.len()) as u64, None));
        for worker in &mut workers {
            worker.has_ended(JOBS_BEFORE).await;
        }
        for worker in &mut workers {
            let moment = Duration::from_millis(dice.random_range(0..MOMENT_MAX_MS));
            tokio::time::sleep(moment).await;
            worker.kill_nine();
            books.recover(worker).await;
        }
        if kill % 20 == 0 {
            books.are_clean().await;
        }
    }
    books.are_clean().await;
}
