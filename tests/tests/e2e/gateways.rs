//! Two gateways on one PostgreSQL: when one is killed in the middle of its jobs, the other ends them within twenty
//! seconds, for what was delivered; what one of them knows or decides counts at both.

mod decided;
mod pair;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use assay_gateway::db::tampering;
use assay_tests::{
    Ask, Gate, JobView, OperatorClient,
    money::{Factor, Tokens, cost},
    wait_until,
};
use serde_json::json;
use tokio::task::JoinSet;

use pair::{FLEET, Pair};

const SOME: u32 = 10;
/// Tokens that each job of a busy gateway gets before it is killed, more or less.
const TURNS: usize = 5;

fn price(job: &JobView) -> i64 {
    let tokens = Tokens { prompt: job.prompt_tokens, completion: job.completion_tokens };
    cost(tokens, Factor::of(&job.risk))
}

#[tokio::test]
async fn the_jobs_of_a_killed_gateway_are_ended_by_another_within_twenty_seconds() {
    let Some(mut pair) = Pair::start().await else { return };
    let world = &pair.world;

    // One client has read some of its answer, and the gateway has noted that; another has nothing yet.
    let ask = Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60);
    let some = world.model.text(&world.model.expected(&ask).await.ids[..SOME as usize]);
    pair.gates.iter().for_each(|gate| gate.allow(SOME as usize));
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| text.len() >= some.len()).await;
    let (client, waiting) = (world.client.clone(), ask.clone());
    let mut clients = JoinSet::new();
    clients.spawn(async move { drop(client.stream(&waiting).await) });
    for node in &pair.nodes {
        node.wait_for("has both jobs", |seen| seen.starts == 2).await;
    }
    let id = stream.job.parse().expect("a job's id");
    wait_until("what was delivered is noted", async || {
        let noted = tampering::noted_tokens(&pair.db, id).await.expect("the database answers");
        noted.filter(|tokens| *tokens == SOME)
    })
    .await;
    let jobs = world.admin.jobs().await;
    let unread = jobs.iter().find(|job| job.id != stream.job).expect("the other one");
    let id = unread.id.parse().expect("a job's id");
    wait_until("who was asked is noted", async || {
        tampering::noted_tokens(&pair.db, id).await.expect("the database answers")
    })
    .await;

    pair.kill().await;
    clients.abort_all();
    let jobs = pair.admin.jobs().await;
    let job = jobs.iter().find(|job| job.id == stream.job).expect("the job that was read");
    assert_eq!((job.state.as_str(), job.completion_tokens), ("cancelled", SOME), "{job:#?}");
    assert_eq!(job.cost, price(job), "{job:#?}");
    assert!(job.parts.iter().filter(|part| part.pay > 0).count() >= 2, "two agreed: {job:#?}");
    let unread = jobs.iter().find(|job| job.id != stream.job).expect("the other one");
    assert_eq!((unread.state.as_str(), unread.cost), ("failed", 0), "{unread:#?}");
    // Whoever worked is told how it ended, paid or not.
    for node in &pair.nodes {
        let operator = OperatorClient::of(&pair.admin, &pair.other.url(), node.operator).await;
        let told = async |job: &JobView| {
            let parts = operator.get(&format!("jobs/{}", job.id)).await;
            let part = parts[0].clone();
            let text = |name: &str| part[name].as_str().unwrap_or_default().to_owned();
            (text("outcome"), text("reason"))
        };
        // Who wrote it is paid; who was not that far yet is told so.
        let expected = if job.part(node.id()).pay > 0 { "agreed" } else { "cancelled" };
        assert_eq!(told(job).await.0, expected);
        let (outcome, reason) = told(unread).await;
        assert_eq!(outcome, "cancelled");
        assert!(reason.contains("the gateway stopped"), "{reason}");
    }
    let spent = job.cost;
    pair.finish(spent).await;
}

/// Whichever gateway is asked, a node is where it is: connected to one of them.
#[tokio::test]
async fn a_node_of_one_gateway_is_no_stranger_to_the_other() {
    let Some(mut pair) = Pair::start().await else { return };
    let node = &pair.nodes[0];
    let id = node.id();
    let secret = pair.admin.operator_secret(node.operator).await;
    let log_in = async |url: &str| {
        OperatorClient::log_in(url, &secret).await.expect(reqwest::StatusCode::OK)
    };
    let operator = log_in(&pair.other.url()).await;
    let path = format!("nodes/{}", node.id());
    let told = wait_until("the other gateway sees the node", async || {
        Some(operator.get(&path).await).filter(|seen| seen["gets_jobs"] == true)
    })
    .await;
    let own = log_in(&pair.world.gateway.url()).await;
    let known = own.get(&path).await;
    for field in ["state", "code", "reason", "serves", "admitted", "jobs_now"] {
        assert_eq!(told[field], known[field], "{field}");
    }
    assert!(told["serves"].as_array().is_some_and(|serves| !serves.is_empty()), "{told:#}");
    assert_eq!(pair.admin.node(node.id()).await.state, known["state"].as_str().expect("a word"));

    // So is what it is doing.
    let world = &pair.world;
    let ask =
        Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60).risk("high");
    let (answer, running) = tokio::join!(world.client.plain(&ask), async {
        let running = wait_until("the other gateway sees the job", async || {
            Some(operator.get("jobs/running").await).filter(|running| running["total"] == 1)
        })
        .await;
        pair.gates.iter().for_each(Gate::open);
        running["data"][0].clone()
    });
    let answer = answer.expect("an answer");
    assert_eq!((&running["job_id"], &running["node_id"]), (&json!(answer.job), &json!(id)));

    // A check that one gateway has made is known to the other, with its history.
    let job = world.admin.job(&answer.job).await;
    assert!(job.part(node.id()).pay > 0, "{job:#?}");
    let part = &operator.get("jobs").await["data"][0];
    let evidence = &part["evidence"];
    assert_eq!(part["job_id"], job.id.as_str());
    assert!(evidence["elapsed_ms"].is_u64() && evidence["first_token_ms"].is_u64(), "{part:#}");
    let told = wait_until("the other gateway knows of the check", async || {
        let record = operator.get(&path).await["reputation"][0].clone();
        record["passes"].as_f64().is_some_and(|passes| passes > 0.0).then_some(record)
    })
    .await;
    assert_eq!(told, own.get(&path).await["reputation"][0]);
    // So is what it has at stake, alike at both, and alike for its operator.
    let at_stake = own.get(&path).await["immature_nano"].as_i64().expect("an amount");
    assert_eq!(at_stake, job.part(id).pay);
    wait_until("the other gateway knows what is at stake", async || {
        (operator.get(&path).await["immature_nano"] == at_stake).then_some(())
    })
    .await;
    let of_operator = pair.admin.operator_now(node.operator).await.immature_nano;
    assert_eq!(of_operator, Some(at_stake));
    let spent = job.cost;

    // What is said of it lasts no longer than the gateway that says it.
    pair.kill().await;
    pair.admin.node_is(id, "offline").await;
    pair.finish(spent).await;
}

/// What each client has read so far, by its job.
type Read = Arc<Mutex<HashMap<String, String>>>;

/// Reads until the gateway is gone.
async fn read(mut stream: assay_tests::chat::Stream, read: Read) {
    let job = stream.job.clone();
    let note = |text: &str| {
        read.lock().expect("nobody panics with it").insert(job.clone(), text.to_owned());
    };
    note("");
    while stream.read_on().await {
        note(&stream.seen().text);
    }
}

#[tokio::test]
async fn a_hundred_jobs_of_a_killed_gateway_are_each_charged_for_what_was_delivered() {
    let Some(mut pair) = Pair::start().await else { return };
    let world = &pair.world;
    let ask = Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60);
    let ids = world.model.expected(&ask).await.ids;
    let so_far: Read = Arc::default();
    let mut clients = JoinSet::new();
    for _ in 0..FLEET {
        let (client, ask, so_far) = (world.client.clone(), ask.clone(), so_far.clone());
        clients.spawn(async move {
            read(client.stream(&ask).await.expect("a stream"), so_far).await;
        });
    }
    for node in &pair.nodes {
        node.wait_for("has all jobs", |seen| seen.starts as usize == FLEET).await;
    }
    // A token for each job, in turn: whoever waits first gets it.
    for turn in 1..=TURNS {
        pair.gates.iter().for_each(|gate| gate.allow(FLEET));
        for node in &pair.nodes {
            let sent = |tokens: u32| tokens as usize == turn * FLEET;
            node.wait_for("has sent them", |seen| sent(seen.tokens_sent)).await;
        }
    }
    let text = |n: usize| world.model.text(&ids[..n]).trim_end_matches('\u{fffd}').to_owned();
    let texts: Vec<String> = (0..=ids.len()).map(text).collect();
    wait_until("what was delivered is noted", async || {
        let read = so_far.lock().expect("nobody panics with it").clone();
        let mut all = read.len() == FLEET;
        for (job, text) in &read {
            let id = job.parse().expect("a job's id");
            let noted = tampering::noted_tokens(&pair.db, id).await.expect("the database answers");
            all &= !text.is_empty() && texts[noted.unwrap_or_default() as usize] == *text;
        }
        all.then_some(())
    })
    .await;
    let running = pair.world.admin.jobs().await;
    let running = running.iter().filter(|job| job.state == "running").count();
    assert!(running >= 100, "{running} jobs run");

    pair.kill().await;
    clients.join_all().await;
    let read = so_far.lock().expect("nobody panics with it").clone();
    let jobs = pair.admin.jobs().await;
    assert_eq!(jobs.len(), FLEET);
    for job in &jobs {
        assert_eq!((job.state.as_str(), job.cost), ("cancelled", price(job)), "{job:#?}");
        assert_eq!(texts[job.completion_tokens as usize], read[&job.id], "{job:#?}");
        let parts: i64 = job.parts.iter().map(|part| part.pay).sum();
        assert_eq!(parts + job.fee + job.reserve, job.cost, "{job:#?}");
    }
    let spent = jobs.iter().map(|job| job.cost).sum();
    pair.finish(spent).await;
}
