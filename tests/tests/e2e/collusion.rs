//! A pair of owners that was honest until it was trusted, and then agrees on made-up answers: nobody differs, so
//! only the lot finds it. It ends with nothing, where an honest pair keeps what the same work pays.

use assay_protocol::NodeId;
use assay_tests::{Ask, Behaviour, Pace, ScriptedNode, World, wait_until};

use crate::records::{Member, TRUSTED, join, recorded};

/// Paid jobs of the honest time.
const HONEST_JOBS: i64 = 6;
/// The pair is audited with q = 0.3, so that this many lies without an audit come once in 10^9 runs.
const LIES_MAX: i64 = 60;
/// From the first refuted lie on, every answer is checked: the ban test takes four failures.
const LIES_CAUGHT: i64 = 4;

async fn pair(world: &World, members: &[Member], behaviour: Behaviour) -> Vec<ScriptedNode> {
    let mut nodes = Vec::new();
    for member in members {
        nodes.push(join(world, member.clone(), behaviour, Pace::Free).await);
    }
    nodes
}

/// What one job came to.
struct Done {
    /// For both together, in nano.
    pay: i64,
    /// How likely the audit was, in millionths.
    q_ppm: u32,
}

/// One job, for which two that are trusted will do.
async fn job(world: &World, seed: i64) -> Done {
    let ask = Ask::say("Tell me a story.").with("seed", seed).max_tokens(24);
    // A lie that is found out ends in an error, and is settled all the same.
    let _ = world.client.plain(&ask).await;
    world.admin.no_job_runs().await;
    let job = &world.admin.jobs().await[0];
    let audits = world.admin.audits(&job.id).await;
    Done {
        pay: job.parts.iter().map(|part| part.pay).sum(),
        q_ppm: audits.first().map_or(0, |audit| audit.q_ppm),
    }
}

async fn earned(world: &World, pair: &[Member]) -> i64 {
    let mut sum = 0;
    for member in pair {
        sum += world.admin.earned(member.operator).await;
    }
    sum
}

#[tokio::test]
async fn a_trusted_pair_that_agrees_on_a_lie_is_banned_and_loses_money() {
    let settings = "[nodes]\nquarantine_ms = 1\n[verification]\naudit_probability_min = 0.3";
    let mut world = World::with(settings).await;
    let [first, second, third, fourth] = recorded(&mut world, TRUSTED).await;
    let (cheats, others) = ([first, second], [third, fourth]);
    let _scorers = [world.scorer().await, world.scorer().await];

    let honest = pair(&world, &cheats, Behaviour::Honest).await;
    let mut paid = 0;
    for seed in 0..HONEST_JOBS {
        paid += job(&world, seed).await.pay;
    }
    assert!(paid > 0 && earned(&world, &cheats).await == paid);
    drop(honest);

    let liars = pair(&world, &cheats, Behaviour::Collude).await;
    let ids = cheats.each_ref().map(|member| member.identity.node);
    let (mut lies, mut caught) = (0, None);
    while !are(&world, &ids, &["banned"]).await {
        lies += 1;
        assert!(lies <= LIES_MAX, "still there after {lies} lies: {liars:#?}");
        let done = job(&world, HONEST_JOBS + lies).await;
        if caught.is_none() {
            assert!((300_000..400_000).contains(&done.q_ppm), "audited by lot: {}", done.q_ppm);
        }
        match done.pay {
            0 => caught = caught.or(Some(lies)),
            pay => paid += pay,
        }
        wait_until("no quarantine lasts", async || {
            let serve = are(&world, &ids, &["active", "probation"]).await;
            (serve || are(&world, &ids, &["banned"]).await).then_some(())
        })
        .await;
    }
    let caught = caught.expect("who was never caught is not banned");
    assert_eq!(lies, caught + LIES_CAUGHT - 1, "four refuted lies in a row");
    // All of it was earned today, so none of it was its own yet.
    let mut forfeited = 0;
    for id in ids {
        let view = world.admin.node(id).await;
        assert_eq!(view.code, "proven_cheating", "{view:?}");
        forfeited += view.forfeits.iter().map(|forfeit| forfeit.immature).sum::<i64>();
    }
    assert_eq!(forfeited, paid, "every nano that it was paid, for honest work too");
    drop(liars);

    // The same questions to two who are as trusted, and honest.
    let _honest = pair(&world, &others, Behaviour::Honest).await;
    for seed in (0..HONEST_JOBS).chain((1..=lies).map(|lie| HONEST_JOBS + lie)) {
        assert!(job(&world, seed).await.pay > 0, "honest work is paid");
    }
    let (won, honest_work) = (earned(&world, &cheats).await, earned(&world, &others).await);
    println!(
        "caught at lie {caught}, banned after {lies}; paid {paid} nano, forfeited {forfeited}, left {won}; \
         honest work: {honest_work}"
    );
    assert_eq!(won, 0, "what it did before and what it lied about is all lost");
    assert!(honest_work > 0);
    world.finish().await;
}

/// Whether each of them is in one of these states.
async fn are(world: &World, nodes: &[NodeId], states: &[&str]) -> bool {
    let mut all = true;
    for node in nodes {
        all &= states.contains(&world.admin.node(*node).await.state.as_str());
    }
    all
}
