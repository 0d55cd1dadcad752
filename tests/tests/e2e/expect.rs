//! What the stories check alike: who was paid what, out of whose account.

use assay_protocol::NodeId;
use assay_tests::{
    Completion, JobView, NodeAgent, Operator, ScriptedNode, World,
    money::{Factor, Passed, Split, Tokens, cost, pays_by_work, split},
    world::CREDIT,
};

/// A node, real or scripted, with its operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) id: NodeId,
    pub(crate) operator: Operator,
}

impl From<&ScriptedNode> for Member {
    fn from(node: &ScriptedNode) -> Self {
        Self { id: node.id(), operator: node.operator }
    }
}

impl From<&NodeAgent> for Member {
    fn from(node: &NodeAgent) -> Self {
        Self { id: node.id, operator: node.operator }
    }
}

/// What the first job of a world must have cost and paid: `passed` are paid alike, everybody else gets
/// nothing, and the client's account, which had [`CREDIT`], is short of exactly that.
pub(crate) async fn assert_paid(
    world: &World,
    job: &JobView,
    passed: &[Member],
    asked: u32,
) -> Split {
    let tokens = Tokens { prompt: job.prompt_tokens, completion: job.completion_tokens };
    let of_them = u32::try_from(passed.len()).expect("a few");
    let expected = split(cost(tokens, Factor::of(&job.risk)), Passed { of_them, asked });
    assert_split(world, job, passed, expected).await;
    expected
}

/// The same when nodes stepped in: each is paid for the tokens it wrote itself. Those it was handed come with it.
pub(crate) async fn assert_paid_by_work(
    world: &World,
    job: &JobView,
    passed: &[(Member, u32)],
    asked: u32,
) {
    let tokens = Tokens { prompt: job.prompt_tokens, completion: job.completion_tokens };
    let whole = job.completion_tokens;
    let wrote: Vec<u32> = passed.iter().map(|(_, handed)| whole - handed).collect();
    let pays = pays_by_work(cost(tokens, Factor::of(&job.risk)), asked, whole, &wrote);
    for ((member, _), pay) in passed.iter().zip(&pays) {
        assert_eq!(job.part(member.id).pay, *pay, "{member:?} in {job:#?}");
        assert_eq!(world.admin.earned(member.operator).await, *pay, "{member:?}");
    }
    let paid: i64 = job.parts.iter().map(|part| part.pay).sum();
    assert_eq!(paid, pays.iter().sum::<i64>(), "nobody else is paid: {job:#?}");
    assert_eq!(job.cost, paid + job.fee + job.reserve, "{job:#?}");
    let left = world.admin.balance(world.account).await;
    assert_eq!((left.available, left.held), (CREDIT - job.cost, 0), "the client's account");
}

/// The same against amounts that the story worked out.
pub(crate) async fn assert_split(world: &World, job: &JobView, passed: &[Member], expected: Split) {
    let longest = Tokens { prompt: job.prompt_tokens, completion: job.max_tokens };
    assert_eq!(job.hold, cost(longest, Factor::of(&job.risk)), "what was held: {job:#?}");
    let found = Split {
        cost: job.cost,
        fee: job.fee,
        each: passed.first().map_or(0, |first| job.part(first.id).pay),
        reserve: job.reserve,
    };
    assert_eq!(found, expected, "where the money went: {job:#?}");
    assert_eq!(job.returned, job.hold - job.cost, "the rest goes back: {job:#?}");
    for part in job.parts.iter().filter(|part| part.role == "generate") {
        let passed = passed.iter().any(|member| member.id == part.node);
        assert_eq!(part.pay, if passed { expected.each } else { 0 }, "{part:#?}");
    }
    for member in passed {
        assert_eq!(world.admin.earned(member.operator).await, expected.each, "{member:?}");
    }
    let left = world.admin.balance(world.account).await;
    assert_eq!((left.available, left.held), (CREDIT - expected.cost, 0), "the client's account");
}

/// Nothing was charged, nobody was paid, nothing is held.
pub(crate) async fn assert_not_charged(world: &World, job: &JobView) {
    assert_eq!(job.state, "failed", "{job:#?}");
    assert_eq!((job.cost, job.fee, job.reserve, job.returned), (0, 0, 0, job.hold), "{job:#?}");
    assert!(job.parts.iter().all(|part| part.pay == 0), "{job:#?}");
    let left = world.admin.balance(world.account).await;
    assert_eq!((left.available, left.held), (CREDIT, 0), "the client's account");
}

/// The answer is the undisturbed one, and the usage counts it once, its end token included.
pub(crate) async fn assert_undisturbed(world: &World, ask: &assay_tests::Ask, answer: &Completion) {
    let expected = world.model.expected(ask).await;
    assert_eq!(answer.text, world.model.text(&expected.ids));
    assert_eq!(answer.finish, expected.finish.as_str());
    assert_eq!(answer.completion_tokens as usize, expected.ids.len());
}

/// The outcome of a node's part, and a reason in words.
pub(crate) fn assert_outcome(job: &JobView, node: impl Into<Member>, outcome: &str) {
    let part = job.part(node.into().id);
    assert_eq!(part.outcome, outcome, "{job:#?}");
    assert!(part.reason.len() > 10, "a reason that explains: {part:#?}");
}
