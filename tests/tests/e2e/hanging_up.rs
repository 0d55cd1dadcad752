//! A thousand clients hang up, at any moment of their answer: each pays exactly for what was delivered.

use std::{sync::Arc, time::Duration};

use assay_tests::{
    Ask, Behaviour, Gate, JobView, Pace, ScriptedNode, World,
    money::{Factor, Passed, Tokens, cost, split},
    world::CREDIT,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{task::JoinSet, time::timeout};

const CLIENTS: usize = 1_000;
/// Of a whole answer.
const TOKENS: u32 = 24;
/// Of those who leave by the clock: how many, how many at once, and when at the latest.
const HASTY: u64 = 192;
const HASTY_AT_ONCE: u64 = 16;
const HASTE_MAX_MS: u64 = 150;
const SETTINGS: &str = "[rate_limit]\nper_second = 100000\nburst = 100000";

fn ask(world: &World) -> Ask {
    Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(TOKENS)
}

/// What the client of this job had to pay.
fn price(job: &JobView) -> i64 {
    let tokens = Tokens { prompt: job.prompt_tokens, completion: job.completion_tokens };
    if tokens.completion == 0 { 0 } else { cost(tokens, Factor::of(&job.risk)) }
}

/// The nodes send just so many tokens; when the client has them all it hangs up: at the first look, in the middle,
/// at the last token, after `[DONE]`.
#[tokio::test]
async fn a_thousand_clients_that_hang_up_each_pay_for_what_was_delivered() {
    let world = World::with(SETTINGS).await;
    let _scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let nodes = [
        world.paced(Behaviour::Honest, &gates[0]).await,
        world.paced(Behaviour::Honest, &gates[1]).await,
        world.paced(Behaviour::Honest, &gates[2]).await,
    ];
    let ask = ask(&world);
    let ids = world.model.expected(&ask).await.ids;
    let mut dice = StdRng::seed_from_u64(77);
    let (mut sent, mut spent, mut whole) = (0, 0, 0);
    for client in 0..CLIENTS {
        let tokens = dice.random_range(1..=TOKENS);
        gates.iter().for_each(|gate| gate.allow(tokens as usize));
        sent += tokens;
        let text = world.model.text(&ids[..tokens as usize]);
        let mut stream = world.client.stream(&ask).await.expect("a stream");
        for node in &nodes {
            node.wait_for("has sent them", |seen| seen.tokens_sent == sent).await;
        }
        let job = stream.job.clone();
        if tokens == TOKENS {
            whole += 1;
            assert!(stream.rest().await.done, "the answer is whole");
        } else {
            // The last token waits until it is known that its bytes make a character.
            let delivered = text.trim_end_matches('\u{fffd}').len();
            stream.read_until(|read| read.len() >= delivered).await;
            drop(stream);
        }
        all_heard(&nodes, client + 1).await;
        let job = world.admin.job_now(&job).await;
        let state = if tokens == TOKENS { "succeeded" } else { "cancelled" };
        assert_eq!((job.state.as_str(), job.completion_tokens), (state, tokens), "{job:#?}");
        assert_eq!(job.cost, price(&job), "{job:#?}");
        let expected = split(job.cost, Passed { of_them: 3, asked: 3 });
        assert!(job.parts.iter().all(|part| part.pay == expected.each), "{job:#?}");
        assert_eq!((job.parts.len(), job.fee), (3, expected.fee), "{job:#?}");
        spent += job.cost;
    }
    assert!(whole > 10, "{whole} of them heard [DONE]");
    assert_eq!(world.admin.balance(world.account).await.available, CREDIT - spent);
    world.finish().await;
}

/// Each node is told how each job ended, after the settlement.
async fn all_heard(nodes: &[ScriptedNode], jobs: usize) {
    for node in nodes {
        node.wait_for("hears how it ended", |seen| seen.outcomes.len() == jobs).await;
    }
}

/// By the clock, many at once: before the answer begins, in the middle, or after it.
#[tokio::test]
async fn clients_that_hang_up_at_random_times_pay_for_no_less_than_they_got() {
    let world = Arc::new(World::with(SETTINGS).await);
    let _scorer = world.scorer().await;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(world.paced(Behaviour::Honest, Pace::Each(Duration::from_millis(2))).await);
    }
    let ids = world.model.expected(&ask(&world)).await.ids;
    let whole = world.model.text(&ids).len();
    let mut got = Vec::new();
    for group in 0..HASTY / HASTY_AT_ONCE {
        let mut clients = JoinSet::new();
        for at in 0..HASTY_AT_ONCE {
            let world = world.clone();
            clients.spawn(async move {
                let mut dice = StdRng::seed_from_u64(group * HASTY_AT_ONCE + at);
                let haste = Duration::from_millis(dice.random_range(0..HASTE_MAX_MS));
                let (mut job, mut read) = (None, String::new());
                let reading = async {
                    let mut stream = world.client.stream(&ask(&world)).await.expect("a stream");
                    job = Some(stream.job.clone());
                    let mut keep = |text: &str| text.clone_into(&mut read);
                    stream
                        .read_until(|text| {
                            keep(text);
                            text.len() >= whole
                        })
                        .await;
                };
                let _ = timeout(haste, reading).await;
                job.map(|job| (job, read))
            });
        }
        got.extend(clients.join_all().await.into_iter().flatten());
    }
    world.admin.no_job_runs().await;
    let jobs = world.admin.jobs().await;
    for (id, read) in &got {
        let job = jobs.iter().find(|job| job.id == *id).expect("its job");
        let paid_for = world.model.text(&ids[..job.completion_tokens as usize]);
        assert!(paid_for.starts_with(read.as_str()), "{read:?} in {job:#?}");
    }
    for job in &jobs {
        assert_eq!(job.cost, price(job), "{job:#?}");
        let parts: i64 = job.parts.iter().map(|part| part.pay).sum();
        assert_eq!(parts + job.fee + job.reserve + job.returned, job.hold, "{job:#?}");
    }
    let spent: i64 = jobs.iter().map(|job| job.cost).sum();
    assert_eq!(world.admin.balance(world.account).await.available, CREDIT - spent);
    assert!(jobs.iter().any(|job| job.state == "cancelled"), "some hang up in time");
    drop(nodes);
    Arc::into_inner(world).expect("all clients are gone").finish().await;
}
