//! A node's pay is not its own at once: who is banned on proof loses what is immature, and the clients who paid for
//! what it made up get their money back.

use assay_protocol::NodeId;
use assay_tests::{
    Ask, Behaviour, Operator, ScriptedNode, World,
    admin::{ForfeitView, JobView},
    scripted::Identity,
    wait_until,
};

const HONEST_JOBS: i64 = 3;
/// As many failed checks as a ban takes.
const LIES: i64 = 4;

type Member = (Operator, Identity);

async fn join(world: &World, pair: &[Member; 2], behaviour: Behaviour) -> Vec<ScriptedNode> {
    let mut nodes = Vec::new();
    for (operator, identity) in pair {
        let model = world.model.clone();
        let node = ScriptedNode::connect(identity.clone(), *operator, model, behaviour.into());
        node.is_active().await;
        nodes.push(node);
    }
    nodes
}

/// Asks so often; the jobs as they were settled.
async fn jobs(world: &World, count: i64, first_seed: i64) -> Vec<JobView> {
    let mut jobs = Vec::new();
    for seed in first_seed..first_seed + count {
        let ask = Ask::say("Tell me a story.").with("seed", seed);
        let answer = world.client.plain(&ask).await.expect("two who agree answer");
        jobs.push(world.admin.job(&answer.job).await);
    }
    jobs
}

fn sum(of: impl IntoIterator<Item = i64>) -> i64 {
    of.into_iter().sum()
}

/// What a node forfeited, once it is banned.
async fn forfeited(world: &World, node: NodeId) -> ForfeitView {
    world.admin.node_is(node, "banned").await;
    let view = world.admin.node(node).await;
    assert_eq!((view.code.as_str(), view.immature), ("proven_cheating", 0), "{view:?}");
    assert!(view.reason.contains("credits of pay that was not mature are forfeited"), "{view:?}");
    let [forfeit] = &view.forfeits[..] else { panic!("one ban, one forfeit: {view:?}") };
    forfeit.clone()
}

/// The lies are told while no scorer is there, so they are paid; the lot drew all of them, and a scorer that comes
/// finds them out.
#[tokio::test]
async fn a_proven_cheat_loses_its_immature_pay_and_the_clients_of_its_lies_are_paid_back() {
    let world = World::with("[serving]\nscorer_wait_ms = 200").await;
    let (a, b) = (world.operator().await, world.operator().await);
    let pair = [(a, world.enrol(a).await), (b, world.enrol(b).await)];
    let [first, second] = [pair[0].1.node, pair[1].1.node];

    let scorer = world.scorer().await;
    let honest = join(&world, &pair, Behaviour::Honest).await;
    let mut all = jobs(&world, HONEST_JOBS, 0).await;
    drop((scorer, honest));
    let before = world.admin.balance(world.account).await.available;
    let _liars = join(&world, &pair, Behaviour::Collude).await;
    let lies = jobs(&world, LIES, 100).await;
    let price = sum(lies.iter().map(|job| job.cost));
    assert_eq!(world.admin.balance(world.account).await.available, before - price);
    all.extend(lies.iter().cloned());

    let earned = world.admin.earned(a).await;
    assert_eq!(earned, sum(all.iter().map(|job| job.part(first).pay)));
    assert_eq!(world.admin.node(first).await.immature, earned, "it is a day and 200 checks away");
    assert_eq!(world.admin.operator_now(a).await.immature_nano, Some(earned));

    let _scorers = tokio::join!(world.scorer(), world.scorer());
    let taken = [forfeited(&world, first).await, forfeited(&world, second).await];
    assert_eq!(sum(taken.iter().map(|it| it.immature)), 2 * earned);
    for operator in [a, b] {
        let balance = world.admin.balance(operator.account_id).await;
        assert_eq!((balance.available, balance.held), (0, 0));
        assert_eq!(world.admin.operator_now(operator).await.immature_nano, Some(0));
    }
    assert_eq!(sum(taken.iter().map(|it| it.to_clients)), price, "what the lies cost, no more");
    assert_eq!(world.admin.balance(world.account).await.available, before);
    for job in &lies {
        let refunds = taken.iter().flat_map(|it| &it.refunds).filter(|it| it.job_id == job.id);
        assert_eq!(sum(refunds.map(|it| it.amount)), job.cost, "{}", job.id);
    }
    // What is left is the reserve's.
    let reserve = sum(all.iter().map(|job| job.reserve)) + 2 * earned - price;
    let kept = sum(taken.iter().map(|it| it.to_reserve));
    assert_eq!(kept, 2 * earned - price);
    let books = wait_until("the books are at rest", async || {
        let (clean, report) = world.gateway.audit();
        clean.then_some(report)
    })
    .await;
    let line = format!("reserve {}.{:09}", reserve / 1_000_000_000, reserve % 1_000_000_000);
    assert!(books.contains(&line), "{line}: {books}");
    world.finish().await;
}

/// Nobody proves anything against a node that an admin bans.
#[tokio::test]
async fn a_ban_by_an_admin_takes_no_pay() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await];
    let [job] = &jobs(&world, 1, 0).await[..] else { panic!("one job") };
    let pay = job.part(nodes[0].id()).pay;
    world.admin.ban(nodes[0].id(), "the operator asked for it").await;
    let view = world.admin.node(nodes[0].id()).await;
    assert_eq!((view.state.as_str(), view.forfeits.len()), ("banned", 0));
    assert!(pay > 0 && view.immature == pay, "{view:?}");
    assert_eq!(world.admin.earned(nodes[0].operator).await, pay);
    world.finish().await;
}
