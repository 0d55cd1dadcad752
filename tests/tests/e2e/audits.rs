//! Agreed answers are audited by lot. The lot is drawn with a secret that the gateway committed to before, and what
//! it finds while no scorer is there it finds later.

use assay_gateway::verification::epochs::commitment;
use assay_protocol::Bytes32;
use assay_tests::{Ask, Behaviour, OperatorClient, ScriptedNode, World, log, wait_until};
use assay_verifier::log::follow::Missing;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
struct Epochs {
    data: Vec<Epoch>,
}

#[derive(Clone, Debug, Deserialize)]
struct Epoch {
    number: i64,
    commitment: Bytes32,
    to_ms: i64,
    secret: Option<Bytes32>,
}

/// As anybody gets them.
async fn epochs(world: &World) -> Vec<Epoch> {
    let url = format!("{}/v1/verification/epochs", world.gateway.url());
    let epochs: Epochs =
        reqwest::get(url).await.expect("an answer").json().await.expect("a list of epochs");
    epochs.data
}

#[tokio::test]
async fn a_draw_can_be_checked_with_a_secret_that_was_committed_to_before() {
    let world = World::with("[verification]\nepoch_ms = 4000\nreveal_after_ms = 1").await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    let before = epochs(&world).await;
    assert!(before.len() >= 3, "this epoch and the next two: {before:?}");

    let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    let [audit] = &world.admin.audits(&job.id).await[..] else { panic!("one round, one draw") };
    assert_eq!((audit.round, audit.q_ppm, audit.drawn), (1, 1_000_000, Some(true)), "strangers");
    assert_eq!(audit.result.as_deref(), Some("passed"));

    let epoch = wait_until("the epoch's secret is out", async || {
        let epochs = epochs(&world).await;
        epochs.into_iter().find(|epoch| epoch.number == audit.epoch && epoch.secret.is_some())
    })
    .await;
    let secret = epoch.secret.expect("it is out");
    assert_eq!(commitment(secret), epoch.commitment);
    if let Some(known) = before.iter().find(|known| known.number == epoch.number) {
        assert_eq!(known.commitment, epoch.commitment, "nothing was exchanged");
        assert_eq!((known.secret, known.to_ms), (None, epoch.to_ms), "it was secret then");
    }
    // Anybody repeats the draw from the log alone: the entry, the checkpoint over it, and the secret.
    let follower = wait_until("the secret and the audit are in the log", async || {
        let (_, follower) = log::followed(&world.client).await;
        (follower.summary().draws == 1 && follower.summary().audits == 1).then_some(follower)
    })
    .await;
    assert_eq!(follower.summary().drawn, 1);
    let Missing { skipped, open, .. } = follower.missing(0, 0);
    assert_eq!((skipped, open), (vec![], 0));
    world.finish().await;
}

#[tokio::test]
async fn audits_wait_for_a_scorer_and_teach_what_they_find_when_one_comes() {
    let world =
        World::with("[serving]\nscorer_wait_ms = 200\n[verification]\naudits_queued_max = 2").await;
    let pair = [world.scripted(Behaviour::Collude).await, world.scripted(Behaviour::Collude).await];
    let mut jobs = Vec::new();
    for seed in 0..3 {
        let ask = Ask::say("Tell me a story.").with("seed", seed);
        let answer = world.client.plain(&ask).await.expect("nobody can tell yet");
        jobs.push(world.admin.job(&answer.job).await);
    }
    let verification = world.admin.verification().await;
    assert_eq!((verification.audits_waiting, verification.audits_dropped), (2, 1));
    let earned = world.admin.earned(pair[0].operator).await;
    assert!(earned > 0, "agreed answers settle without a scorer");

    let _scorer = world.scorer().await;
    let result = |at: usize| {
        let (admin, id) = (&world.admin, jobs[at].id.clone());
        async move { admin.audits(&id).await[0].result.clone() }
    };
    wait_until("both audits are done", async || {
        let done = [result(1).await, result(2).await];
        done.iter().all(|result| result.as_deref() == Some("failed")).then_some(())
    })
    .await;
    assert_eq!(result(0).await.as_deref(), Some("dropped"), "the oldest made room");
    for node in &pair {
        let view = world.admin.node(node.id()).await;
        assert!(view.reputation[0].failures > 1.9, "{view:?}");
        assert_eq!(view.state, "quarantined", "{view:?}");
    }
    assert_eq!(world.admin.earned(pair[0].operator).await, earned, "the money has moved");

    // Their operators read what was found, and how the job had ended.
    for (node, other) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
        let operator = OperatorClient::of(&world.admin, &world.gateway.url(), node.operator).await;
        let path = |at: usize| format!("jobs/{}", jobs[at].id);
        let part = operator.get(&path(1)).await[0].clone();
        assert_eq!(
            (&part["outcome"], &part["pay_nano"]),
            (&json!("failed_audit"), &json!(jobs[1].part(node.id()).pay))
        );
        let meaning = part["meaning"].as_str().expect("a sentence");
        assert!(meaning.starts_with("Paid, and found at fault"), "{part:#}");
        let sentence = part["reason"].as_str().expect("a sentence");
        assert!(sentence.contains("the model gives another token at position"), "{part:#}");
        let (evidence, audit) = (&part["evidence"], &part["late_audit"]);
        assert!(
            evidence["first_fault"]["position"].is_u64() && evidence["scorer"].is_string(),
            "{part:#}"
        );
        assert_eq!(
            (&audit["found"], &audit["refuted"]),
            (&json!("failed_spot_check"), &json!(true))
        );
        assert_eq!(
            (&audit["settled_outcome"], &audit["settled_evidence"]["first_fault"]),
            (&json!("agreed"), &Value::Null)
        );
        assert!(audit["at_ms"].as_i64() > part["ended_ms"].as_i64(), "{part:#}");
        // What was never audited is told as it was.
        let dropped = operator.get(&path(0)).await[0].clone();
        assert_eq!((&dropped["outcome"], &dropped["late_audit"]), (&json!("agreed"), &Value::Null));
        assert_eq!(
            operator.get(&path(1)).await.as_array().map(Vec::len),
            Some(1),
            "not {}'s",
            other.id()
        );
    }
    assert_eq!(world.admin.job(&jobs[1].id).await.part(pair[0].id()).outcome, "failed_audit");
    world.finish().await;
}

/// One of the two has logits of its own making: the answer is right all the same, and only that one learns otherwise.
#[tokio::test]
async fn of_two_who_said_the_same_a_late_audit_blames_only_the_one_whose_logits_are_made_up() {
    let world = World::with("[serving]\nscorer_wait_ms = 200").await;
    let honest = world.honest().await;
    let forger = world.scripted(Behaviour::ForgeLogits).await;
    let ask = Ask::say("Tell me a story.").with("seed", 5);
    let answer = world.client.plain(&ask).await.expect("equal tokens agree");
    let job = world.admin.job(&answer.job).await;
    let _scorer = world.scorer().await;
    wait_until("the audit is done", async || {
        let audit = world.admin.audits(&job.id).await[0].result.clone();
        (audit.as_deref() == Some("failed")).then_some(())
    })
    .await;
    let record = async |node| world.admin.node(node).await.reputation[0].clone();
    let (right, forged) = (record(honest.id()).await, record(forger.id()).await);
    assert!(right.passes > 0.0 && right.failures == 0.0, "{right:?}");
    assert!(forged.failures > 0.9, "{forged:?}");
    let told = async |node: &ScriptedNode| {
        let operator = OperatorClient::of(&world.admin, &world.gateway.url(), node.operator).await;
        operator.get(&format!("jobs/{}", job.id)).await[0].clone()
    };
    let (right, forged) = (told(&honest).await, told(&forger).await);
    assert_eq!((&right["outcome"], &right["late_audit"]), (&json!("agreed"), &Value::Null));
    let audit = &forged["late_audit"];
    assert_eq!(
        (&forged["outcome"], &audit["found"]),
        (&json!("failed_audit"), &json!("failed_logits"))
    );
    assert_eq!(audit["refuted"], false, "the client's answer stands: {forged:#}");
    world.finish().await;
}
