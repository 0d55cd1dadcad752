//! Nobody agrees with himself or answers for himself: nodes that share an owner, a payout address or a network
//! are never in one set, nor does a client get nodes that share one with it.

use std::net::IpAddr;

use assay_tests::{Ask, ChatClient, JobView, Operator, OperatorClient, ScriptedNode, World};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// Every connection comes through a proxy on this machine.
const BEHIND_A_PROXY: &str = "[gateway]\ntrusted_proxies = ['127.0.0.1']\n";

/// So many jobs, one after the other, that chance would have mixed anybody with anybody.
const JOBS: usize = 12;

async fn jobs(world: &World, client: &ChatClient) -> Vec<JobView> {
    let mut jobs = Vec::with_capacity(JOBS);
    for number in 0..JOBS {
        let ask = Ask::say(&format!("What is {number} plus 1?")).max_tokens(4);
        let answer = client.plain(&ask).await.expect("an answer");
        jobs.push(world.admin.job(&answer.job).await);
    }
    jobs
}

fn parts(jobs: &[JobView], node: &ScriptedNode) -> usize {
    jobs.iter().filter(|job| job.has_part(node.id())).count()
}

fn are_never_together(jobs: &[JobView], one: &ScriptedNode, other: &ScriptedNode) {
    let both = jobs.iter().find(|job| job.has_part(one.id()) && job.has_part(other.id()));
    assert!(both.is_none(), "{both:#?}");
    assert!(parts(jobs, one) + parts(jobs, other) == jobs.len(), "one of the two is in each set");
}

/// Names the address that is made of this digit as the one that an operator's money goes to.
async fn name_purse(world: &World, operator: Operator, digit: &str) {
    let client = OperatorClient::of(&world.admin, &world.gateway.url(), operator).await;
    let address = json!({"address": format!("0x{}", digit.repeat(40))});
    let set = client.ask(Method::PUT, "payout-address", address).await;
    assert_eq!(set.status, StatusCode::OK, "{:#}", set.body);
}

#[tokio::test]
async fn two_owners_in_one_network_are_never_asked_together() {
    let world = World::with(BEHIND_A_PROXY).await;
    let _scorer = world.scorer().await;
    let at = |last| IpAddr::from([203, 0, 113, last]);
    let neighbours = [world.honest_from(at(7)).await, world.honest_from(at(200)).await];
    let others = [
        world.honest_from([198, 51, 100, 7].into()).await,
        world.honest_from([192, 0, 2, 7].into()).await,
    ];
    let jobs = jobs(&world, &world.client).await;
    are_never_together(&jobs, &neighbours[0], &neighbours[1]);
    assert!(others.iter().all(|other| parts(&jobs, other) == JOBS), "{jobs:#?}");
    world.finish().await;
}

#[tokio::test]
async fn two_operators_with_one_payout_address_are_never_asked_together() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes =
        [world.honest().await, world.honest().await, world.honest().await, world.honest().await];
    for (node, digit) in nodes.iter().zip(["a", "a", "b", "c"]) {
        name_purse(&world, node.operator, digit).await;
    }
    are_never_together(&jobs(&world, &world.client).await, &nodes[0], &nodes[1]);
    world.finish().await;
}

#[tokio::test]
async fn a_client_never_gets_its_own_nodes() {
    let world = World::with(BEHIND_A_PROXY).await;
    let _scorer = world.scorer().await;
    let own = world.honest_from([203, 0, 113, 7].into()).await;
    let _others = [
        world.honest_from([198, 51, 100, 7].into()).await,
        world.honest_from([192, 0, 2, 7].into()).await,
    ];

    // By its operator, as an admin says ...
    let elsewhere = world.client.coming_from([8, 8, 8, 8].into());
    world.admin.belongs_to(world.account, Some(own.operator)).await;
    assert_eq!(parts(&jobs(&world, &elsewhere).await, &own), 0);
    // ... until the admin takes that back ...
    world.admin.belongs_to(world.account, None).await;
    assert_eq!(parts(&jobs(&world, &elsewhere).await, &own), JOBS);
    // ... and by its network.
    let at_home = world.client.coming_from([203, 0, 113, 99].into());
    assert_eq!(parts(&jobs(&world, &at_home).await, &own), 0);
    world.finish().await;
}

/// Whoever once had a purse has it still, whatever is named now; a new one says something before it counts.
#[tokio::test]
async fn a_purse_of_before_and_a_purse_to_come_relate_as_well() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes =
        [world.honest().await, world.honest().await, world.honest().await, world.honest().await];
    for digit in ["a", "b"] {
        name_purse(&world, nodes[0].operator, digit).await;
    }
    // The first one counted, and the second one cools off for days.
    name_purse(&world, nodes[1].operator, "a").await;
    are_never_together(&jobs(&world, &world.client).await, &nodes[0], &nodes[1]);
    name_purse(&world, nodes[2].operator, "b").await;
    are_never_together(&jobs(&world, &world.client).await, &nodes[0], &nodes[2]);
    world.finish().await;
}

#[tokio::test]
async fn a_client_never_gets_nodes_that_are_paid_into_its_operators_purse() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await, world.honest().await];
    // Its operator has no node itself.
    let own = world.operator().await;
    world.admin.belongs_to(world.account, Some(own)).await;
    name_purse(&world, own, "a").await;
    assert_eq!(parts(&jobs(&world, &world.client).await, &nodes[0]), JOBS);
    name_purse(&world, nodes[0].operator, "a").await;
    assert_eq!(parts(&jobs(&world, &world.client).await, &nodes[0]), 0);
    world.finish().await;
}
