//! Credit: what is held cannot be spent twice, and what is not there cannot be spent at all.

use assay_tests::{
    Ask, Behaviour, Gate, World,
    money::{Factor, Tokens, cost},
};
use tokio::task::JoinSet;

fn held_for(world: &World, ask: &Ask, max_tokens: u32) -> i64 {
    let text = ask.body["messages"][0]["content"].as_str().expect("a text");
    let prompt = u32::try_from(world.model.prompt(text).len()).expect("a short prompt");
    cost(Tokens { prompt, completion: max_tokens }, Factor::Standard)
}

#[tokio::test]
async fn two_requests_at_once_cannot_overspend_a_balance_that_covers_one() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gate = Gate::closed();
    let _nodes = [
        world.paced(Behaviour::Honest, &gate).await,
        world.paced(Behaviour::Honest, &gate).await,
        world.paced(Behaviour::Honest, &gate).await,
    ];
    let ask = Ask::say("Hello!").max_tokens(20);
    let credit = held_for(&world, &ask, 20);
    let (account, poor) = world.client_with(credit).await;

    let mut both = JoinSet::new();
    for _ in 0..2 {
        let (poor, ask) = (poor.clone(), ask.clone());
        both.spawn(async move { poor.plain(&ask).await });
    }
    // While the gate is closed only a refusal can come.
    let refusal = both.join_next().await.unwrap().unwrap().expect_err("one of them is refused");
    assert_eq!(
        (refusal.status.as_u16(), &refusal.error["code"]),
        (429, &"insufficient_quota".into())
    );
    let balance = world.admin.balance(account).await;
    assert_eq!((balance.available, balance.held), (0, credit), "all of it is held for the other");
    gate.open();
    let answer = both.join_next().await.unwrap().unwrap().expect("the other one is answered");

    let job = world.admin.job(&answer.job).await;
    let tokens = Tokens { prompt: job.prompt_tokens, completion: job.completion_tokens };
    assert_eq!(job.cost, cost(tokens, Factor::Standard));
    let balance = world.admin.balance(account).await;
    assert_eq!((balance.available, balance.held), (credit - job.cost, 0));
    world.finish().await;
}

#[tokio::test]
async fn one_nano_too_little_is_too_little() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await, world.honest().await];
    let ask = Ask::say("Hello!").max_tokens(20);
    let needed = held_for(&world, &ask, 20);

    let (account, poor) = world.client_with(needed - 1).await;
    let refusal = poor.plain(&ask).await.expect_err("one nano is missing");
    assert_eq!(refusal.status, 429);
    assert_eq!(refusal.error["type"], "insufficient_quota");
    assert_eq!(refusal.headers["x-should-retry"], "false");
    assert!(!refusal.headers.contains_key("retry-after"), "waiting does not help");
    assert_eq!(nodes.iter().map(|node| node.seen().offers).sum::<u32>(), 0, "nobody was bothered");

    world.admin.grant(account, 1).await;
    poor.plain(&ask).await.expect("now it is enough");
    world.finish().await;
}
