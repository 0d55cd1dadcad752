//! A hundred real nodes are killed in the middle of an answer: nobody who reads it can tell.

use assay_tests::{Ask, NodeAgent, World, wait_until};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use crate::records::{PROVEN, record};

const KILLS: usize = 100;
/// Of them that must have hit a node at work on the answer that was being read; the others came too late, or hit
/// one that had just been done.
const KILLS_INSIDE_MIN: usize = 80;
/// One is killed, up to three work, one steps in.
const NODES: usize = 5;
const TOKENS: u32 = 160;

/// Half of the answers come from one proven node at `low`, half from a set at `standard`; the dice are the same in
/// every run. The killed node comes back as soon as it can.
#[tokio::test]
async fn a_hundred_nodes_killed_in_the_middle_of_an_answer_leave_no_trace_in_the_text() {
    let mut world = World::new().await;
    let mut agents = Vec::new();
    for _ in 0..NODES {
        agents.push(world.agent().await);
    }
    let ids: Vec<_> = agents.iter().map(|agent| agent.id).collect();
    record(&mut world, &ids, PROVEN).await;
    let _scorer = world.scorer().await;
    let mut dice = StdRng::seed_from_u64(9);
    let mut inside = 0;
    for kill in 0..KILLS {
        let risk = ["low", "standard"][kill % 2];
        inside += usize::from(one_kill(&world, &mut agents, risk, &mut dice).await);
    }
    assert!(inside >= KILLS_INSIDE_MIN, "only {inside} of {KILLS} kills fell inside an answer");
    world.finish().await;
}

/// One answer with one kill; whether the node was at work on it and had not finished.
async fn one_kill(
    world: &World,
    agents: &mut [NodeAgent],
    risk: &'static str,
    dice: &mut StdRng,
) -> bool {
    all_are_there(world, agents).await;
    let ask = Ask::say("Tell me a story about a fox.").with("temperature", 1.0).risk(risk);
    let ask = ask.endless(world.model.end_token).max_tokens(TOKENS);
    let whole = world.model.text(&world.model.expected(&ask).await.ids);
    let moment = dice.random_range(1..whole.len() * 3 / 4);

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let victim = *at_work(world, agents).await.choose(dice).unwrap_or(&0);
    stream.read_until(|text| text.len() >= moment).await;
    agents[victim].kill_nine();
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(streamed.error.is_none() && streamed.done, "{risk}, at {moment}: {streamed:?}");
    assert_eq!(streamed.text, whole, "{risk}, killed at {moment}");

    agents[victim].start_again();
    let job = world.admin.job(&job).await;
    let mut parts = job.parts.iter().filter(|part| part.node == agents[victim].id);
    parts.any(|part| part.outcome == "left" && part.tokens < TOKENS)
}

/// Indices of those who hold a job.
async fn at_work(world: &World, agents: &[NodeAgent]) -> Vec<usize> {
    let mut found = Vec::new();
    for (index, agent) in agents.iter().enumerate() {
        if world.admin.node(agent.id).await.jobs_running > 0 {
            found.push(index);
        }
    }
    found
}

/// Everybody is connected, so that somebody can always step in.
async fn all_are_there(world: &World, agents: &[NodeAgent]) {
    for agent in agents {
        wait_until("every node takes jobs", async || {
            let node = world.admin.node(agent.id).await;
            ["active", "probation"].contains(&node.state.as_str()).then_some(())
        })
        .await;
    }
}
