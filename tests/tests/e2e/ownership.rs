//! Who may take a job: no banned node, and never two nodes of one owner.

use assay_protocol::CloseCode;
use assay_tests::{Ask, Behaviour, ScriptedNode, World, scripted::End};

use crate::expect::{Member, assert_not_charged, assert_outcome, assert_paid, assert_undisturbed};

#[tokio::test]
async fn a_banned_node_is_cut_and_gets_no_jobs_until_it_is_unbanned() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await, world.honest().await];
    let banned = world.honest().await;

    world.admin.ban(banned.id(), "it cheated in a story").await;
    let seen = banned.wait_for("is cut", |seen| seen.closed.is_some()).await;
    assert_eq!(seen.closed, Some((CloseCode::Banned, "it cheated in a story".to_owned())));
    assert_eq!(world.admin.node(banned.id()).await.state, "banned");

    let again = ScriptedNode::connect(
        banned.identity.clone(),
        banned.operator,
        world.model.clone(),
        Behaviour::Honest.into(),
    );
    let seen = again.wait_for("is turned away", |seen| seen.end.is_some()).await;
    assert_eq!(seen.end, Some(End::Closed { retry_after: None }), "do not come back unchanged");
    assert_eq!(seen.closed.map(|(code, _)| code), Some(CloseCode::Banned));

    let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    assert!(!job.has_part(banned.id()), "{job:#?}");
    let paid: Vec<_> = nodes.iter().map(Into::into).collect();
    assert_paid(&world, &job, &paid, 3).await;

    world.admin.unban(banned.id()).await;
    let back = ScriptedNode::connect(
        banned.identity.clone(),
        banned.operator,
        world.model.clone(),
        Behaviour::Honest.into(),
    );
    back.is_active().await;
    world.finish().await;
}

#[tokio::test]
async fn two_nodes_of_one_owner_never_form_a_quorum() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let owner = world.operator().await;
    let sybils = [
        world.scripted_of(owner, Behaviour::Canned.into()).await,
        world.scripted_of(owner, Behaviour::Canned.into()).await,
        world.scripted_of(owner, Behaviour::Canned.into()).await,
    ];
    let refusal = world.client.plain(&Ask::say("Hello!")).await.expect_err("one owner is too few");
    assert_eq!(refusal.status, 503, "{refusal:?}");
    assert!(refusal.headers.contains_key("retry-after"), "SDKs are told when to try again");
    assert_eq!(sybils.iter().map(|node| node.seen().starts).sum::<u32>(), 0, "none saw the prompt");
    world.admin.no_job_runs().await;
    assert_not_charged(&world, &world.admin.jobs().await[0]).await;

    // One more owner makes two, of whom one is honest.
    let honest = world.honest().await;
    let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    let of_the_owner = sybils.iter().filter(|node| job.has_part(node.id())).count();
    assert_eq!(of_the_owner, 1, "{job:#?}");
    assert_paid(&world, &job, &[(&honest).into()], 2).await;
    world.finish().await;
}

/// Nothing tells them from nodes that did the work twice, and the answer is right. A third owner is paid alike.
#[tokio::test]
async fn several_owners_of_one_person_are_paid_for_one_piece_of_honest_work() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let sybils = [world.scripted(Behaviour::Sybil).await, world.scripted(Behaviour::Sybil).await];
    let honest = world.honest().await;
    let ask = Ask::say("Tell me a story.").with("temperature", 1.0).max_tokens(24);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    let all: [Member; 3] = [(&sybils[0]).into(), (&sybils[1]).into(), (&honest).into()];
    for member in all {
        assert_outcome(&job, member, "agreed");
    }
    assert_paid(&world, &job, &all, 3).await;
    world.finish().await;
}

#[tokio::test]
async fn nodes_that_refuse_everything_cost_nobody_anything() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let harvesters = [
        world.scripted(Behaviour::Refuse).await,
        world.scripted(Behaviour::Refuse).await,
        world.scripted(Behaviour::Refuse).await,
    ];
    let refusal = world.client.plain(&Ask::say("Hello!")).await.expect_err("nobody wants it");
    assert_eq!(refusal.status, 503, "{refusal:?}");
    for node in &harvesters {
        assert_eq!((node.seen().offers, node.seen().starts), (1, 0), "an offer shows nothing");
    }
    world.admin.no_job_runs().await;
    assert_not_charged(&world, &world.admin.jobs().await[0]).await;
    world.finish().await;
}
