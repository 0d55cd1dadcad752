//! Nodes with a record: written into the gateway's store as if they had passed check after check.

use assay_gateway::db::{
    AccountId, Db, EvidenceDelta, JobEnd, JobNodeEnd, JobState, NewJob, Page, jobs, keys,
};
use assay_ledger::{Nano, Settlement};
use assay_protocol::{JobId, NodeId, Outcome};
use uuid::Uuid;

use crate::{
    Behaviour, Operator, Pace, ScriptedNode, World,
    scripted::{Identity, Manners},
};

/// Passes of a proven node (0.92) that is not trusted enough for a pair without a third.
pub const PROVEN: usize = 40;
/// Passes of a node that is checked as seldom as anybody: more teach nothing new.
pub const TRUSTED: usize = 2_000;

/// Enrolled, and soon with a record.
#[derive(Clone, Debug)]
pub struct Member {
    pub operator: Operator,
    pub identity: Identity,
}

/// Members, written into the gateway's store as if they had passed this many checks.
pub async fn recorded<const N: usize>(world: &mut World, passes: usize) -> [Member; N] {
    let mut members = Vec::new();
    for _ in 0..N {
        let operator = world.operator().await;
        members.push(Member { operator, identity: world.enrol(operator).await });
    }
    let nodes: Vec<NodeId> = members.iter().map(|member| member.identity.node).collect();
    record(world, &nodes, passes).await;
    members.try_into().unwrap_or_else(|_| unreachable!("as many were made"))
}

/// Writes a record for these nodes, while the gateway is away for a moment.
pub async fn record(world: &mut World, nodes: &[NodeId], passes: usize) {
    world.gateway.terminate();
    assert!(world.gateway.end().await.success());
    let path = world.folder().join("data").join("assay.db");
    let db = Db::open(&format!("sqlite:{}", path.display())).await.expect("the gateway's store");
    for node in nodes {
        write_record(&db, AccountId(world.account), *node, passes).await;
    }
    db.close().await;
    world.gateway.start_again().await;
}

/// A job that cost nothing and taught as much as many.
async fn write_record(db: &Db, account: AccountId, node: NodeId, passes: usize) {
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
        lease: None,
        lasts_ms_max: 600_000,
        holds_open_max: 100,
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
        code: None,
        verdict: None,
        ended_ms: 2,
        nodes: vec![part; passes],
        receipt: None,
    };
    jobs::end(db, &end).await.expect("its end");
}

/// Connects a member.
pub async fn join(
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
