//! PostgreSQL is killed and away for ten seconds, under load: new jobs are told to come again, nothing that was
//! acknowledged is lost, and the gateway serves again as soon as the database does.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use assay_gateway::db::{Db, tampering};
use assay_tests::{
    Ask, ChatClient, Refusal, World,
    money::{Factor, Tokens, cost},
    postgres::PostgresServer,
    wait_until,
    world::CREDIT,
};
use tokio::task::JoinSet;

const AWAY: Duration = Duration::from_secs(10);
const BACK_WITHIN: Duration = Duration::from_secs(2);
const CLIENTS: u32 = 4;
/// Between a client's requests: it does what it is told, roughly.
const BREATH: Duration = Duration::from_millis(50);
/// Answers before the outage, and after it.
const ANSWERS: usize = 12;

/// What the clients saw, each with when it was asked and when the answer came.
#[derive(Debug, Default)]
struct Seen {
    /// The jobs of whole answers.
    answered: Vec<(Instant, Instant, String)>,
    /// Status, and whether it said when to come again.
    refused: Vec<(Instant, u16, bool)>,
}

impl Seen {
    fn note(&mut self, asked: Instant, answer: Result<String, Refusal>) {
        match answer {
            Ok(job) => self.answered.push((asked, Instant::now(), job)),
            Err(refusal) => {
                let told = refusal.headers.contains_key("retry-after");
                self.refused.push((asked, refusal.status.as_u16(), told));
            }
        }
    }
}

/// Every other client reads its answers as streams.
async fn keep_asking(
    client: ChatClient,
    streams: bool,
    seen: Arc<Mutex<Seen>>,
    enough: Arc<AtomicBool>,
) {
    let ask = Ask::say("Hello!").max_tokens(8);
    while !enough.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let answer = match streams {
            false => client.plain(&ask).await.map(|answer| answer.job),
            true => match client.stream(&ask).await {
                Err(refused) => Err(refused),
                Ok(stream) => {
                    let job = stream.job.clone();
                    let streamed = stream.rest().await;
                    assert!(streamed.done && streamed.error.is_none(), "{streamed:#?}");
                    Ok(job)
                }
            },
        };
        seen.lock().expect("nobody panics with it").note(asked, answer);
        tokio::time::sleep(BREATH).await;
    }
}

#[tokio::test]
async fn postgresql_killed_and_away_for_ten_seconds_loses_nothing() {
    let Some(mut server) = PostgresServer::durable().await else {
        eprintln!("PostgreSQL is not installed: not tested");
        return;
    };
    let url = server.database("assay").await;
    let world = World::with(&format!("[gateway]\ndatabase_url = '{url}'")).await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    let (seen, enough) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let streams = client % 2 == 1;
        clients.spawn(keep_asking(world.client.clone(), streams, seen.clone(), enough.clone()));
    }
    let answered = |since: Option<Instant>| {
        let seen = seen.lock().expect("nobody panics with it");
        seen.answered.iter().filter(|(asked, ..)| since.is_none_or(|since| *asked > since)).count()
    };
    wait_until("answers before the outage", async || (answered(None) >= ANSWERS).then_some(()))
        .await;

    server.kill_nine();
    let gone = Instant::now();
    tokio::time::sleep(AWAY).await;
    let starting = Instant::now();
    server.start_again().await;
    let back = Instant::now();
    wait_until("answers after the outage", async || {
        (answered(Some(back)) >= ANSWERS).then_some(())
    })
    .await;
    enough.store(true, Ordering::Relaxed);
    clients.join_all().await;

    let seen = Arc::into_inner(seen).expect("the clients are gone").into_inner().expect("whole");
    let during = seen.refused.iter().filter(|(asked, ..)| (gone..starting).contains(asked));
    assert!(during.clone().count() >= 3, "new jobs are refused meanwhile: {:?}", seen.refused);
    let well_told = |refused: &&(Instant, u16, bool)| (refused.1, refused.2) == (503, true);
    assert!(seen.refused.iter().all(|refused| well_told(&refused)), "{:?}", seen.refused);
    let new_ones = seen.answered.iter().filter(|(asked, ..)| (gone..starting).contains(asked));
    assert_eq!(new_ones.count(), 0, "no job without a hold");
    // Of those who asked when the database was on its way back: a job from before waits for nothing but its end.
    let anew = seen.answered.iter().filter(|(asked, came, _)| *asked >= starting && *came > back);
    let first = anew.map(|(_, came, _)| *came);
    let waited = first.min().expect("there were some").duration_since(back);
    eprintln!("the first answer came {waited:?} after PostgreSQL was back");
    assert!(waited <= BACK_WITHIN, "the service was back after {waited:?}");

    world.admin.no_job_runs().await;
    let jobs = world.admin.jobs().await;
    for (_, _, id) in &seen.answered {
        let job = jobs.iter().find(|job| job.id == *id).expect("what was answered is in the books");
        let tokens = Tokens { prompt: job.prompt_tokens, completion: job.completion_tokens };
        let price = cost(tokens, Factor::of(&job.risk));
        assert_eq!((job.state.as_str(), job.cost), ("succeeded", price), "{job:#?}");
    }
    let spent: i64 = jobs.iter().map(|job| job.cost).sum();
    assert_eq!(world.admin.balance(world.account).await.available, CREDIT - spent);
    world.finish().await;
}

/// The database commits a hold, but so late that nobody waits for the answer any more: the client is told to come again,
/// and what was held for nothing is given back as soon as it shows, not at the hold's own end minutes later.
#[tokio::test]
async fn a_hold_that_nobody_knows_of_is_given_back_when_it_shows() {
    let Some(server) = PostgresServer::start().await else {
        eprintln!("PostgreSQL is not installed: not tested");
        return;
    };
    let url = server.database("assay").await;
    let world = World::with(&format!("[gateway]\ndatabase_url = '{url}'")).await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    let db = Db::open(&url).await.expect("one more connection");
    tampering::hold_commits(&db).await.expect("commits can be held up");
    let ask = Ask::say("Hello!").max_tokens(8);
    let refused = world.client.plain(&ask).await.expect_err("nothing is known of the hold");
    assert_eq!(refused.status, 503, "{:#}", refused.error);
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(world.admin.jobs().await.len(), 0, "nothing shows");

    tampering::let_commits_go(&db).await.expect("they go on");
    let job = wait_until("the hold shows and is given back", async || {
        world.admin.jobs().await.into_iter().find(|job| job.state != "running")
    })
    .await;
    assert_eq!((job.state.as_str(), job.cost, job.returned), ("failed", 0, job.hold), "{job:#?}");
    let balance = world.admin.balance(world.account).await;
    assert_eq!((balance.available, balance.held), (CREDIT, 0));
    world.client.plain(&ask).await.expect("the next one is served");
    db.close().await;
    world.finish().await;
}
