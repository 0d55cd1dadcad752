//! What trust saves: a proven node serves `low` alone, and `standard` does with two.

use assay_tests::{Ask, Behaviour, Gate, OperatorClient, Pace, World};
use serde_json::json;

use crate::{
    expect::{assert_not_charged, assert_outcome, assert_paid, assert_paid_by_work},
    records::{TRUSTED, join, recorded},
};

const SOME: usize = 10;

fn long(world: &World, risk: &'static str) -> Ask {
    Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60).risk(risk)
}

#[tokio::test]
async fn at_low_risk_a_proven_node_answers_alone_and_is_read_as_it_writes() {
    let mut world = World::new().await;
    let [member] = recorded(&mut world, TRUSTED).await;
    let gate = Gate::closed();
    let proven = join(&world, member, Behaviour::Honest, &gate).await;
    let scorer = world.scorer().await;
    let strangers = [world.honest().await, world.honest().await];
    let ask = long(&world, "low");
    let expected = world.model.expected(&ask).await;
    let some = world.model.text(&expected.ids[..SOME]);
    gate.allow(SOME);

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| text == some).await;
    assert_eq!(scorer.seen().scored, 0, "nobody was asked about it");
    gate.open();
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(streamed.done, "{streamed:?}");
    assert_eq!(streamed.text, world.model.text(&expected.ids));

    // One answer in twenty is drawn for an audit.
    let verdict = streamed.verdict.expect("how it was verified");
    let audited = verdict["audited"] == true;
    assert_eq!(verdict["rule"], if audited { "spot_checks" } else { "trusted" }, "{verdict}");
    assert_eq!((&verdict["policy"], &verdict["nodes_asked"]), (&json!("low"), &json!(1)));
    let job = world.admin.job(&job).await;
    assert_outcome(&job, &proven, if audited { "passed" } else { "trusted" });
    let operator = OperatorClient::of(&world.admin, &world.gateway.url(), proven.operator).await;
    let told = &operator.get("jobs").await["data"][0];
    assert!(told["meaning"].as_str().is_some_and(|it| it.starts_with("Paid: ")), "{told:#}");
    assert!(strangers.iter().all(|node| !job.has_part(node.id())), "{job:#?}");
    assert_paid(&world, &job, &[(&proven).into()], 1).await;
    world.finish().await;
}

#[tokio::test]
async fn at_low_risk_a_proven_node_that_leaves_is_replaced_from_what_it_said() {
    is_replaced(Behaviour::Vanish).await;
}

#[tokio::test]
async fn at_low_risk_a_proven_node_that_stalls_is_replaced_from_what_it_said() {
    is_replaced(Behaviour::Stall).await;
}

/// What it said alone is scored before anybody goes on from it.
async fn is_replaced(stops: Behaviour) {
    let mut world = World::with("[serving]\nstall_ms = 5000").await;
    let [first, second] = recorded(&mut world, TRUSTED).await;
    let gate = Gate::closed();
    let leaves = join(&world, first, stops, &gate).await;
    let scorer = world.scorer().await;
    let ask = long(&world, "low");
    gate.allow(SOME);

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let goes_on = join(&world, second, Behaviour::Honest, Pace::Free).await;
    gate.open();
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(streamed.done, "{streamed:?}");
    let expected = world.model.expected(&ask).await;
    assert_eq!(streamed.text, world.model.text(&expected.ids), "no seam");
    assert!(scorer.seen().scored >= 2, "what was handed over, and the whole");
    let handed = goes_on.seen().prefix_tokens;
    assert_eq!(handed, leaves.seen().tokens_sent, "nothing was written twice");

    let job = world.admin.job(&job).await;
    assert_outcome(&job, &leaves, "left");
    assert_paid_by_work(&world, &job, &[((&goes_on).into(), handed)], 1).await;
    world.finish().await;
}

#[tokio::test]
async fn a_lie_of_a_proven_node_that_leaves_is_not_gone_on_from_and_not_charged() {
    is_not_gone_on_from(Behaviour::Canned).await;
}

/// Having itself cut for something else does not save it the failed check.
#[tokio::test]
async fn a_lie_of_a_proven_node_that_breaks_the_protocol_is_a_lie_all_the_same() {
    is_not_gone_on_from(Behaviour::Bolt).await;
}

async fn is_not_gone_on_from(lies: Behaviour) {
    let mut world = World::new().await;
    let [first, second] = recorded(&mut world, TRUSTED).await;
    let gate = Gate::closed();
    let liar = join(&world, first, lies, &gate).await;
    let _scorer = world.scorer().await;
    let ask = long(&world, "low");
    gate.allow(SOME);

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let second = join(&world, second, Behaviour::Honest, Pace::Free).await;
    let id = liar.id();
    if lies.name() == "bolt" {
        gate.open();
        liar.wait_for("is cut", |seen| seen.closed.is_some()).await;
    }
    drop(liar);
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(!streamed.done, "it does not look finished");
    let error = streamed.error.expect("an error ends it");
    assert_eq!(error["code"], "not_verified", "{error}");

    let job = world.admin.job(&job).await;
    assert_not_charged(&world, &job).await;
    assert_eq!(job.part(id).outcome, "failed_spot_check", "{job:#?}");
    assert_eq!(second.seen().starts, 0, "nobody is asked to go on from a lie");
    assert_eq!(world.admin.node(id).await.reputation[0].failures, 1.0, "{job:#?}");
    world.finish().await;
}

#[tokio::test]
async fn standard_does_with_two_when_one_of_them_is_trusted_enough() {
    let mut world = World::new().await;
    let [member] = recorded(&mut world, TRUSTED).await;
    let trusted = join(&world, member, Behaviour::Honest, Pace::Free).await;
    let _scorer = world.scorer().await;
    let strangers = [world.honest().await, world.honest().await, world.honest().await];
    let answer = world.client.plain(&long(&world, "standard")).await.expect("an answer");
    assert_eq!(answer.json["x_assay"]["nodes_asked"], 2, "{}", answer.json);

    let job = world.admin.job(&answer.job).await;
    let asked: Vec<_> = strangers.iter().filter(|node| job.has_part(node.id())).collect();
    assert_eq!(asked.len(), 1, "{job:#?}");
    assert_paid(&world, &job, &[(&trusted).into(), asked[0].into()], 2).await;
    world.finish().await;
}

/// Two do for the trusted one's sake. When it leaves, they are three again.
#[tokio::test]
async fn a_pair_whose_trusted_member_leaves_becomes_a_set_of_three() {
    let mut world = World::new().await;
    let [member] = recorded(&mut world, TRUSTED).await;
    let gate = Gate::closed();
    let leaves = join(&world, member, Behaviour::Vanish, &gate).await;
    let _scorer = world.scorer().await;
    let ask = long(&world, "standard");
    let asking = async { world.client.plain(&ask).await.expect("an answer") };
    let first = world.honest().await;
    let meanwhile = async {
        first.wait_for("is done", |seen| seen.completed == 1).await;
        let others = [world.honest().await, world.honest().await];
        gate.open();
        others
    };
    let (answer, others) = tokio::join!(asking, meanwhile);
    let expected = world.model.expected(&ask).await;
    assert_eq!(answer.text, world.model.text(&expected.ids));
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &leaves, "left");
    for node in others.iter().chain([&first]) {
        assert_outcome(&job, node, "agreed");
        assert!(job.part(node.id()).pay > 0, "{job:#?}");
    }
    world.finish().await;
}

/// Without a scorer nobody could check what trust lets pass: three are asked.
#[tokio::test]
async fn without_a_scorer_trust_saves_nothing() {
    let mut world = World::with("[serving]\nscorer_wait_ms = 100").await;
    let [member] = recorded(&mut world, TRUSTED).await;
    let trusted = join(&world, member, Behaviour::Honest, Pace::Free).await;
    let others = [world.honest().await, world.honest().await];
    for (risk, asked) in [("standard", 3), ("low", 2)] {
        let answer = world.client.plain(&long(&world, risk)).await.expect("an answer");
        assert_eq!(answer.json["x_assay"]["nodes_asked"], asked, "{}", answer.json);
    }
    drop((trusted, others));
    world.finish().await;
}

#[tokio::test]
async fn at_high_risk_a_client_may_read_what_is_agreed_and_gets_the_verdict_at_the_end() {
    let world = World::new().await;
    let scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let mut nodes = Vec::new();
    for gate in &gates {
        nodes.push(world.paced(Behaviour::Honest, gate).await);
        gate.allow(SOME);
    }
    let ask = long(&world, "high").with("verification", json!({"release": "agreed", "checks": 3}));
    let expected = world.model.expected(&ask).await;
    let some = world.model.text(&expected.ids[..SOME]);

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| text == some).await;
    assert_eq!(scorer.seen().scored, 0, "before any verdict");
    gates.iter().for_each(Gate::open);
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(streamed.done, "{streamed:?}");
    assert_eq!(streamed.text, world.model.text(&expected.ids));
    let verdict = streamed.verdict.expect("how it was verified");
    assert_eq!((&verdict["policy"], &verdict["positions_checked"]), (&json!("high"), &json!(60)));
    let job = world.admin.job(&job).await;
    let paid: Vec<_> = nodes.iter().map(Into::into).collect();
    assert_paid(&world, &job, &paid, 3).await;
    world.finish().await;
}
