//! No scorer is connected: what two owners agree on is all there is, and where that is not enough nobody
//! pays. What two have agreed on stays theirs, whatever a third one does afterwards.

use std::time::Duration;

use assay_protocol::CancelReason;
use assay_tests::{Ask, Behaviour, Gate, Pace, World, scripted::Told, wait_until};

use crate::{
    expect::{assert_not_charged, assert_outcome, assert_paid, assert_undisturbed},
    records::{TRUSTED, join, recorded},
};

/// Nobody waits long for a scorer that is not there. `settings`: more of `[serving]`.
async fn unscored(settings: &str) -> World {
    World::with(&format!("[serving]\nscorer_wait_ms = 200\n{settings}")).await
}

/// An answer that every node knows at once; how long it takes is up to their pace.
async fn long(world: &World) -> Ask {
    let ask = Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60);
    world.model.expected(&ask).await;
    ask
}

#[tokio::test]
async fn two_that_agree_end_the_wait_and_the_third_may_still_earn_its_part() {
    let world = unscored("").await;
    let gate = Gate::closed();
    let nodes =
        [world.honest().await, world.honest().await, world.paced(Behaviour::Honest, &gate).await];
    let ask = long(&world).await;
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let verdict = &answer.json["x_assay"];
    assert_eq!((&verdict["rule"], &verdict["positions_checked"]), (&"agreement".into(), &0.into()));
    assert_eq!(world.admin.job_now(&answer.job).await.state, "running");

    gate.open();
    let job = world.admin.job(&answer.job).await;
    for node in &nodes {
        assert_outcome(&job, node, "agreed");
    }
    let paid: Vec<_> = nodes.iter().map(Into::into).collect();
    assert_paid(&world, &job, &paid, 3).await;
    world.finish().await;
}

#[tokio::test]
async fn a_majority_that_nobody_can_check_is_paid_and_the_dissenter_is_not_blamed() {
    let world = unscored("").await;
    let nodes = [world.honest().await, world.honest().await];
    let liar = world.scripted(Behaviour::Canned).await;
    let ask = Ask::say("Tell me a story.");
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;

    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &liar, "unverified");
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 3).await;
    world.finish().await;
}

#[tokio::test]
async fn when_no_two_agree_and_nobody_can_check_the_client_keeps_its_money() {
    let world = unscored("").await;
    let nodes = [
        world.honest().await,
        world.scripted(Behaviour::Canned).await,
        world.scripted(Behaviour::Random).await,
    ];
    let refusal = world.client.plain(&Ask::say("Tell me a story.")).await.expect_err("no verdict");
    assert!(refusal.status.is_server_error(), "{refusal:?}");
    world.admin.no_job_runs().await;
    let job = &world.admin.jobs().await[0];
    assert_not_charged(&world, job).await;
    for node in &nodes {
        assert_outcome(job, node, "unverified");
    }
    world.finish().await;
}

#[tokio::test]
async fn high_risk_is_refused_at_once() {
    let world = unscored("").await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    let ask = Ask::say("Tell me a story.").risk("high");
    let refusal = world.client.plain(&ask).await.expect_err("no verdict");
    assert_eq!(refusal.status, 503, "{refusal:?}");
    assert!(refusal.headers.contains_key("retry-after"), "{refusal:?}");
    assert!(refusal.error["message"].as_str().expect("words").contains("scorer"), "{refusal:?}");
    assert!(world.admin.jobs().await.is_empty(), "no node worked for it");
    world.finish().await;
}

#[tokio::test]
async fn a_straggler_is_called_off_and_the_two_who_agreed_share_the_pay() {
    let world = unscored("straggler_ms = 300").await;
    let gate = Gate::closed();
    gate.allow(3);
    let nodes = [world.honest().await, world.honest().await];
    let straggler = world.paced(Behaviour::Honest, &gate).await;
    let ask = long(&world).await;
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;

    let seen = straggler.wait_for("is called off", |seen| !seen.told.is_empty()).await;
    assert_eq!(seen.told, [Told::Cancel(CancelReason::NotNeeded)]);
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &straggler, "cancelled");
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 3).await;
    world.finish().await;
}

/// The client has its answer, so the job's deadline is no longer about the client.
#[tokio::test]
async fn a_straggler_that_drips_past_the_deadline_takes_no_pay_from_the_others() {
    let world = unscored("job_deadline_ms = 4000").await;
    let nodes = [world.honest().await, world.honest().await];
    // Sixty tokens in fifteen seconds.
    let drips = world.paced(Behaviour::Honest, Pace::Each(Duration::from_millis(250))).await;
    let ask = long(&world).await;
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;

    let job = world.admin.job(&answer.job).await;
    assert_eq!(job.state, "succeeded", "{job:#?}");
    assert!(drips.seen().tokens_sent < 60, "it had not finished: {:?}", drips.seen());
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 3).await;
    world.finish().await;
}

/// It neither holds the settlement up nor passes unseen: the draw is certain, and the audit waits for a scorer.
#[tokio::test]
async fn who_differs_and_drips_is_let_go_and_those_who_agree_are_audited_for_certain() {
    let mut world = unscored("straggler_ms = 300").await;
    let [first, second] = recorded(&mut world, TRUSTED).await;
    let trusted = [
        join(&world, first, Behaviour::Honest, Pace::Free).await,
        join(&world, second, Behaviour::Honest, Pace::Free).await,
    ];
    let ask = long(&world).await.with("temperature", 1.0);
    // They have pay to lose by now: nothing else makes the draw certain.
    let mut q_ppm = 0;
    for seed in 100..108 {
        let before = world.client.plain(&ask.clone().with("seed", seed)).await.expect("an answer");
        let job = world.admin.job(&before.job).await;
        q_ppm = world.admin.audits(&job.id).await[0].q_ppm;
    }
    assert!(q_ppm < 500_000, "{q_ppm} in a million");
    // Sixty tokens in fifteen seconds.
    let drips = world.paced(Behaviour::Canned, Pace::Each(Duration::from_millis(250))).await;
    world.model.expected(&ask).await;
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    assert_eq!(answer.json["x_assay"]["audited"], true, "{:#}", answer.json["x_assay"]);

    let job = world.admin.job(&answer.job).await;
    assert!(drips.seen().tokens_sent < 60, "it had not finished: {:?}", drips.seen());
    assert_outcome(&job, &drips, "cancelled");
    assert!(trusted.iter().all(|node| job.part(node.id()).pay > 0), "{job:#?}");
    assert_eq!(job.part(drips.id()).pay, 0);
    let [audit] = &world.admin.audits(&job.id).await[..] else { panic!("one draw") };
    assert_eq!((audit.q_ppm, audit.drawn), (1_000_000, Some(true)), "logged as certain");
    assert_eq!(audit.result.as_deref(), Some("queued"));

    let _scorer = world.scorer().await;
    wait_until("a scorer confirms it", async || {
        let result = world.admin.audits(&job.id).await[0].result.clone();
        (result.as_deref() == Some("passed")).then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn a_gateway_told_to_stop_pays_for_the_answer_that_its_client_has() {
    let mut world = unscored("").await;
    let gate = Gate::closed();
    gate.allow(3);
    let nodes = [world.honest().await, world.honest().await];
    let straggler = world.paced(Behaviour::Honest, &gate).await;
    let ask = long(&world).await;
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    straggler.wait_for("is in the middle", |seen| seen.tokens_sent == 3).await;

    world.gateway.terminate();
    assert!(world.gateway.end().await.success());
    world.books_are_clean();
    world.gateway.start_again().await;
    let job = world.admin.job_now(&answer.job).await;
    assert_eq!(job.state, "succeeded", "{job:#?}");
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 3).await;
    world.finish().await;
}
