//! A pair of owners that was honest until it was trusted, and then agrees on made-up answers: nobody differs, so
//! only the lot finds it. It loses more than it wins.

use assay_gateway::db::{Db, EvidenceDelta, reputation};
use assay_protocol::NodeId;
use assay_tests::{Ask, Behaviour, ScriptedNode, World, scripted::Identity, wait_until};

/// Passed checks of full weight before the story: more than enough to be proven.
const PASSES: usize = 300;
/// Paid jobs of the honest time: so much the pair has to lose.
const HONEST_JOBS: i64 = 6;
/// What an honest pair would have done meanwhile.
const JOBS: i64 = 40;

/// Writes a good record, while the gateway is away for a moment.
async fn prove(world: &mut World, nodes: &[NodeId]) {
    world.gateway.terminate();
    assert!(world.gateway.end().await.success());
    let path = world.folder().join("data").join("assay.db");
    let db = Db::open(&format!("sqlite:{}", path.display())).await.expect("the gateway's store");
    for node in nodes {
        for _ in 0..PASSES {
            let passed = EvidenceDelta::passed(1.0);
            reputation::record_late(&db, *node, "assay-pip", passed, 1).await.expect("a record");
        }
    }
    db.close().await;
    world.gateway.start_again().await;
}

async fn join(
    world: &World,
    pair: &[(assay_tests::Operator, Identity)],
    behaviour: Behaviour,
) -> Vec<ScriptedNode> {
    let mut nodes = Vec::new();
    for (operator, identity) in pair {
        let model = world.model.clone();
        let node = ScriptedNode::connect(identity.clone(), *operator, model, behaviour.into());
        node.is_active().await;
        nodes.push(node);
    }
    nodes
}

/// What one job came to.
struct Done {
    /// For each of the pair, in nano.
    pay: i64,
    /// How likely the audit was, in millionths.
    q_ppm: u32,
}

/// One job, for which two that are trusted will do.
async fn job(world: &World, seed: i64) -> Done {
    let ask = Ask::say("Tell me a story.").with("seed", seed);
    // A lie that is found out ends in an error, and is settled all the same.
    let _ = world.client.plain(&ask).await;
    world.admin.no_job_runs().await;
    let job = &world.admin.jobs().await[0];
    let audits = world.admin.audits(&job.id).await;
    Done {
        pay: job.parts.iter().map(|part| part.pay).sum::<i64>() / 2,
        q_ppm: audits.first().map_or(0, |audit| audit.q_ppm),
    }
}

#[tokio::test]
async fn a_trusted_pair_that_agrees_on_a_lie_is_banned_and_loses_money() {
    let settings = "[nodes]\nquarantine_ms = 1\n[verification]\naudit_probability_min = 0.2";
    let mut world = World::with(settings).await;
    let mut pair = Vec::new();
    for _ in 0..2 {
        let operator = world.operator().await;
        pair.push((operator, world.enrol(operator).await));
    }
    let ids: Vec<NodeId> = pair.iter().map(|(_, identity)| identity.node).collect();
    prove(&mut world, &ids).await;
    let _scorers = [world.scorer().await, world.scorer().await];

    let honest = join(&world, &pair, Behaviour::Honest).await;
    let mut pay_of_a_job = 0;
    for seed in 0..HONEST_JOBS {
        pay_of_a_job = job(&world, seed).await.pay.max(pay_of_a_job);
    }
    assert!(world.admin.node(ids[0]).await.reputation[0].proven);
    assert!(pay_of_a_job > 0);
    drop(honest);

    let liars = join(&world, &pair, Behaviour::Collude).await;
    let banned = async || {
        let states = [world.admin.node(ids[0]).await.state, world.admin.node(ids[1]).await.state];
        states.iter().all(|state| state == "banned")
    };
    let (mut lies_paid, mut won, mut caught, mut jobs): (i64, i64, Option<i64>, i64) =
        Default::default();
    while !banned().await {
        jobs += 1;
        assert!(jobs <= JOBS, "still there after {jobs} lies: {liars:#?}");
        let Done { pay, q_ppm } = job(&world, 1_000 + jobs).await;
        if caught.is_none() {
            assert!(q_ppm < 300_000, "a trusted pair is audited by lot: {q_ppm}");
        }
        match pay {
            0 => caught = caught.or(Some(jobs)),
            pay => (lies_paid, won) = (lies_paid + 1, won + pay),
        }
        wait_until("the quarantine is over, or more than that", async || {
            let mut settled = true;
            for node in &ids {
                settled &= world.admin.node(*node).await.state != "quarantined";
            }
            settled.then_some(())
        })
        .await;
    }
    let honest_work = JOBS * pay_of_a_job;
    println!(
        "caught at lie {caught:?}, banned after {jobs}; {lies_paid} lies paid {won} nano each, \
         honest work {honest_work}"
    );
    assert!(won < honest_work / 2, "{won} nano for lies, {honest_work} for honest work");
    let view = world.admin.node(ids[0]).await;
    assert_eq!(view.code, "proven_cheating", "{view:?}");
    world.finish().await;
}
