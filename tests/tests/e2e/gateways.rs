//! Two gateways on one PostgreSQL: when one is killed in the middle of its jobs, the other ends them within twenty
//! seconds, for what was delivered.

use std::time::{Duration, Instant};

use assay_gateway::db::{Db, tampering};
use assay_tests::{
    Admin, Ask, Behaviour, Gate, Gateway, World,
    money::{Factor, Tokens, cost},
    postgres::PostgresServer,
    wait_until,
    world::CREDIT,
};
use tokio::task::JoinSet;

const SOME: u32 = 10;
const ENDED_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_jobs_of_a_killed_gateway_are_ended_by_another_within_twenty_seconds() {
    let Some(server) = PostgresServer::start().await else {
        eprintln!("PostgreSQL is not installed: not tested");
        return;
    };
    let url = server.database("assay").await;
    let settings = format!("[gateway]\ndatabase_url = '{url}'");
    let mut world = World::with(&settings).await;
    let folder = tempfile::tempdir().expect("a folder for another gateway");
    let mut other = Gateway::start(folder.path(), &settings).await;
    let admin = Admin::log_in(&other.url()).await;
    let _scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let mut nodes = Vec::new();
    for gate in &gates {
        nodes.push(world.paced(Behaviour::Honest, gate).await);
    }

    // One client has read some of its answer, and the gateway has noted that; another has nothing yet.
    let ask = Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60);
    let some = world.model.text(&world.model.expected(&ask).await.ids[..SOME as usize]);
    gates.iter().for_each(|gate| gate.allow(SOME as usize));
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| text.len() >= some.len()).await;
    let (client, waiting) = (world.client.clone(), ask.clone());
    let mut clients = JoinSet::new();
    clients.spawn(async move { drop(client.stream(&waiting).await) });
    for node in &nodes {
        node.wait_for("has both jobs", |seen| seen.starts == 2).await;
    }
    let db = Db::open(&url).await.expect("one more connection");
    let id = stream.job.parse().expect("a job's id");
    wait_until("what was delivered is noted", async || {
        let noted = tampering::noted_tokens(&db, id).await.expect("the database answers");
        noted.filter(|tokens| *tokens == SOME)
    })
    .await;
    db.close().await;

    world.gateway.kill_nine();
    let killed = Instant::now();
    clients.abort_all();
    admin.no_job_runs().await;
    let stuck = killed.elapsed();
    eprintln!("the last hold of the killed gateway ended after {stuck:?}");
    assert!(stuck < ENDED_WITHIN, "a hold was stuck for {stuck:?}");

    let jobs = admin.jobs().await;
    let job = jobs.iter().find(|job| job.id == stream.job).expect("the job that was read");
    let tokens = Tokens { prompt: job.prompt_tokens, completion: SOME };
    let price = cost(tokens, Factor::of(&job.risk));
    assert_eq!((job.state.as_str(), job.completion_tokens), ("cancelled", SOME), "{job:#?}");
    assert_eq!(job.cost, price, "{job:#?}");
    assert!(job.parts.iter().all(|part| part.pay > 0), "who wrote it is paid: {job:#?}");
    let unread = jobs.iter().find(|job| job.id != stream.job).expect("the other one");
    assert_eq!((unread.state.as_str(), unread.cost), ("failed", 0), "{unread:#?}");
    let balance = admin.balance(world.account).await;
    assert_eq!((balance.available, balance.held), (CREDIT - price, 0));
    let (clean, report) = other.audit();
    assert!(clean, "{report}");

    // The killed one comes back to nothing that it would end again.
    world.gateway.start_again().await;
    world.admin = Admin::log_in(&world.gateway.url()).await;
    assert_eq!(world.admin.balance(world.account).await.available, CREDIT - price);
    other.terminate();
    assert!(other.end().await.success());
    world.finish().await;
}
