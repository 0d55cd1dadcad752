//! A hundred real nodes are killed at a random moment of an answer: nobody who reads it can tell.

use assay_tests::{Ask, NodeAgent, World, wait_until};
use futures_util::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use crate::records::{PROVEN, record};

/// That must hit a node at work on the answer that is being read.
const KILLS: usize = 100;
/// Some come too late: the node had just been done. More than this many tries, and something is wrong.
const TRIES_MAX: usize = 160;
/// Of every so many kills, one waits until nothing is missing but the last token and the verdict.
const LAST_TOKEN_EVERY: usize = 10;
/// Up to three work, one steps in, one comes back from the kill before.
const NODES: usize = 5;
const TOKENS: u32 = 160;

/// Where in its answer a node was killed.
#[derive(Clone, Copy, Debug, Default)]
struct Kill {
    /// In thousandths of the text that comes before the verdict.
    at: usize,
    /// It was at work, and what it had written was not all.
    inside: bool,
}

/// Half of the answers come from one proven node at `low`, half from a set at `standard`. Moments are drawn over the
/// whole text, with the same dice in every run; who is killed is drawn among those at work. The killed node comes back
/// as soon as it can.
#[tokio::test]
async fn a_hundred_nodes_killed_at_any_moment_of_an_answer_leave_no_trace_in_the_text() {
    let mut world = World::new().await;
    let mut agents = Vec::new();
    for _ in 0..NODES {
        agents.push(world.agent().await);
    }
    let ids: Vec<_> = agents.iter().map(|agent| agent.id).collect();
    record(&mut world, &ids, PROVEN).await;
    let _scorer = world.scorer().await;
    let mut dice = StdRng::seed_from_u64(9);
    let mut kills: Vec<Kill> = Vec::new();
    let inside = |kills: &[Kill]| kills.iter().filter(|kill| kill.inside).count();
    while inside(&kills) < KILLS {
        let tries = kills.len();
        assert!(tries < TRIES_MAX, "only {} of {tries} kills fell inside", inside(&kills));
        let risk = ["low", "standard"][tries % 2];
        let last_token = tries % LAST_TOKEN_EVERY == LAST_TOKEN_EVERY - 1;
        kills.push(one_kill(&world, &mut agents, risk, last_token, &mut dice).await);
    }
    let quarter = |from: usize| {
        let of_it = |kill: &&Kill| kill.inside && (from..from + 250).contains(&kill.at);
        kills.iter().filter(of_it).count()
    };
    let quarters = [0, 250, 500, 750].map(quarter);
    println!("{KILLS} of {} kills fell inside, by quarters of the text: {quarters:?}", kills.len());
    assert!(quarters.iter().all(|kills| *kills > 0), "every part of an answer: {kills:?}");
    world.finish().await;
}

/// One answer with one kill.
async fn one_kill(
    world: &World,
    agents: &mut [NodeAgent],
    risk: &'static str,
    last_token: bool,
    dice: &mut StdRng,
) -> Kill {
    enough_are_there(world, agents).await;
    let ask = Ask::say("Tell me a story about a fox.").with("temperature", 1.0).risk(risk);
    let ask = ask.endless(world.model.end_token).max_tokens(TOKENS);
    let ids = world.model.expected(&ask).await.ids;
    let whole = world.model.text(&ids);
    // The last token that fits comes with the verdict.
    let before_verdict = world.model.text(&ids[..ids.len() - 1]).len();
    let drawn = dice.random_range(1..=before_verdict);
    let moment = if last_token { before_verdict } else { drawn };

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let at_work = at_work(world, agents).await;
    stream.read_until(|text| text.len() >= moment).await;
    let victim = at_work.choose(dice).copied();
    if let Some(victim) = victim {
        agents[victim].kill_nine();
    }
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(streamed.error.is_none() && streamed.done, "{risk}, at {moment}: {streamed:?}");
    assert_eq!(streamed.text, whole, "{risk}, killed at {moment}");

    let at = moment * 999 / before_verdict;
    let Some(victim) = victim else { return Kill { at, inside: false } };
    agents[victim].start_again();
    let job = world.admin.job(&job).await;
    let mut parts = job.parts.iter().filter(|part| part.node == agents[victim].id);
    Kill { at, inside: parts.any(|part| part.outcome == "left" && part.tokens < TOKENS) }
}

/// Indices of those who hold a job.
async fn at_work(world: &World, agents: &[NodeAgent]) -> Vec<usize> {
    let running = agents.iter().map(async |agent| world.admin.node(agent.id).await.jobs_running);
    let running = join_all(running).await.into_iter().enumerate();
    running.filter(|(_, jobs)| *jobs > 0).map(|(index, _)| index).collect()
}

/// All but the one that was killed last take jobs, so that somebody can always step in.
async fn enough_are_there(world: &World, agents: &[NodeAgent]) {
    wait_until("all nodes but one take jobs", async || {
        let states = agents.iter().map(async |agent| world.admin.node(agent.id).await.state);
        let states = join_all(states).await;
        let serving = states.iter().filter(|state| ["active", "probation"].contains(&&state[..]));
        (serving.count() >= NODES - 1).then_some(())
    })
    .await;
}
