//! Nodes with a long good record are seldom checked: their agreement ends the client's wait at once. What
//! comes out afterwards still decides who is paid.

use assay_gateway::db::{
    AccountId, Db, EvidenceDelta, JobEnd, JobNodeEnd, JobState, NewJob, Page, jobs, keys,
};
use assay_ledger::{Nano, Settlement};
use assay_protocol::{JobId, NodeId, Outcome};
use assay_tests::{
    Ask, Behaviour, Gate, Operator, Pace, ScriptedNode, World,
    scripted::{Identity, Manners},
};
use uuid::Uuid;

use crate::expect::{assert_not_charged, assert_outcome};

/// Passes of a node that is checked as seldom as anybody: more teach nothing new.
const PASSES: usize = 2_000;
/// One answer in twenty is checked all the same, so that many tries without an unchecked one do not happen.
const TRIES: usize = 20;

/// Enrolled, and soon with a record.
struct Member {
    operator: Operator,
    identity: Identity,
}

/// Two members, written into the gateway's store as if they had passed check after check.
async fn proven_pair(world: &mut World) -> [Member; 2] {
    let mut members = Vec::new();
    for _ in 0..2 {
        let operator = world.operator().await;
        members.push(Member { operator, identity: world.enrol(operator).await });
    }
    world.gateway.terminate();
    assert!(world.gateway.end().await.success());
    let path = world.folder().join("data").join("assay.db");
    let db = Db::open(&format!("sqlite:{}", path.display())).await.expect("the gateway's store");
    for member in &members {
        write_record(&db, AccountId(world.account), member.identity.node).await;
    }
    db.close().await;
    world.gateway.start_again().await;
    members.try_into().unwrap_or_else(|_| unreachable!("two were made"))
}

/// A job that cost nothing and taught as much as many.
async fn write_record(db: &Db, account: AccountId, node: NodeId) {
    let key = keys::list(db, Some(account), &Page::default()).await.expect("keys").rows[0].id;
    let id = JobId(Uuid::now_v7());
    let job = NewJob {
        id,
        gateway: "an earlier one".into(),
        account,
        key,
        model: "assay-pip".into(),
        policy: "standard".into(),
        prompt_tokens: 1,
        max_tokens: 1,
        hold: Nano::ZERO,
        created_ms: 1,
    };
    jobs::open(db, &job).await.expect("a free job");
    let part = JobNodeEnd {
        node,
        round: 1,
        role: "generate",
        outcome: Outcome::Passed,
        reason: "a record for a story".into(),
        evidence: "{}".into(),
        tokens: 1,
        pay: Nano::ZERO,
        elapsed_ms: 1,
        reputation: Some(EvidenceDelta::passed(1.0)),
    };
    let end = JobEnd {
        id,
        state: JobState::Succeeded,
        finish: Some("stop".into()),
        completion_tokens: 1,
        rounds: 1,
        charge: Settlement::nothing(Nano::ZERO),
        reason: "answered".into(),
        verdict: None,
        ended_ms: 2,
        nodes: vec![part; PASSES],
    };
    jobs::end(db, &end).await.expect("its end");
}

async fn join(
    world: &World,
    member: Member,
    behaviour: Behaviour,
    pace: impl Into<Pace>,
) -> ScriptedNode {
    let Member { operator, identity } = member;
    let manners = Manners { pace: pace.into(), ..behaviour.into() };
    let node = ScriptedNode::connect(identity, operator, world.model.clone(), manners);
    node.is_active().await;
    node
}

#[tokio::test]
async fn a_proven_pair_ends_the_wait_and_is_paid_although_the_third_was_not_heard() {
    let mut world = World::with("[serving]\nstraggler_ms = 100").await;
    let [first, second] = proven_pair(&mut world).await;
    let pair = [
        join(&world, first, Behaviour::Honest, Pace::Free).await,
        join(&world, second, Behaviour::Honest, Pace::Free).await,
    ];
    let _scorer = world.scorer().await;
    let late = world.paced(Behaviour::Honest, &Gate::closed()).await;

    for _ in 0..TRIES {
        let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
        assert_eq!(answer.json["x_assay"]["rule"], "agreement");
        let job = world.admin.job(&answer.job).await;
        assert_outcome(&job, &pair[0], "agreed");
        assert_outcome(&job, &pair[1], "agreed");
        assert_outcome(&job, &late, "cancelled");
        if answer.json["x_assay"]["positions_checked"] == 0 {
            return world.finish().await;
        }
    }
    panic!("proven nodes were checked every time");
}

#[tokio::test]
async fn a_lie_of_two_with_a_long_good_record_is_not_charged_once_a_third_differs() {
    let mut world = World::with("[serving]\nstraggler_ms = 20000").await;
    let [first, second] = proven_pair(&mut world).await;
    let pair = [
        join(&world, first, Behaviour::Canned, Pace::Free).await,
        join(&world, second, Behaviour::Canned, Pace::Free).await,
    ];
    let _scorer = world.scorer().await;
    let gate = Gate::closed();
    let honest = world.paced(Behaviour::Honest, &gate).await;

    let ask = Ask::say("Tell me a story.");
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| text.len() > 10).await;
    pair[0].wait_for("has told its lie", |seen| seen.tokens_sent > 0).await;
    honest.is_started().await;
    gate.open();
    let id = stream.job.clone();
    let _ = stream.rest().await;

    let job = world.admin.job(&id).await;
    assert_not_charged(&world, &job).await;
    for liar in &pair {
        assert_outcome(&job, liar, "failed_spot_check");
    }
    world.finish().await;
}
