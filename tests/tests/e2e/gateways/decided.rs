//! Whatever is decided about a node at one gateway counts at the other one, to which the node is connected.

use assay_protocol::CloseCode;
use assay_tests::{Ask, Behaviour, Gate, JobView, OperatorClient, ScriptedNode, wait_until};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::pair::Pair;

/// So many jobs, one after the other, that chance would have mixed anybody with anybody.
const JOBS: usize = 8;

impl Pair {
    /// A job of the gateway that has the nodes.
    async fn job(&self) -> JobView {
        let ask = Ask::say("What is 2 plus 1?").max_tokens(4);
        let answer = self.world.client.plain(&ask).await.expect("an answer");
        self.world.admin.job(&answer.job).await
    }

    /// The end of a story in which nobody was killed.
    async fn end(mut self) {
        self.admin.no_job_runs().await;
        let spent = self.admin.jobs().await.iter().map(|job| job.cost).sum();
        self.world.gateway.kill_nine();
        self.finish(spent).await;
    }

    /// The same node, once more at its gateway.
    fn again(&self, node: &ScriptedNode) -> ScriptedNode {
        let (identity, model) = (node.identity.clone(), self.world.model.clone());
        let manners = Behaviour::Honest.into();
        ScriptedNode::connect(identity, node.operator, model, manners)
    }
}

#[tokio::test]
async fn a_ban_at_one_gateway_cuts_the_node_off_at_the_other() {
    let Some(pair) = Pair::start().await else { return };
    pair.gates.iter().for_each(Gate::open);
    let node = &pair.nodes[0];
    assert!(pair.job().await.part(node.id()).pay > 0);

    pair.admin.ban(node.id(), "it cheated in a story").await;
    let seen = node.wait_for("is cut", |seen| seen.closed.is_some()).await;
    assert_eq!(seen.closed, Some((CloseCode::Banned, "it cheated in a story".to_owned())));
    let job = pair.job().await;
    assert!(!job.has_part(node.id()), "{job:#?}");
    let at_stake = async || {
        let admins = [&pair.admin, &pair.world.admin];
        [admins[0].node(node.id()).await.immature, admins[1].node(node.id()).await.immature]
    };
    let [here, there] = at_stake().await;
    assert!(here == there && here > 0, "{here} and {there}: an admin's ban takes nothing");

    pair.admin.unban(node.id()).await;
    let back = pair.again(node);
    back.is_active().await;
    wait_until("it gets jobs again", async || pair.job().await.has_part(node.id()).then_some(()))
        .await;
    pair.end().await;
}

#[tokio::test]
async fn trust_that_is_taken_at_one_gateway_decides_no_more_pay_at_the_other() {
    let Some(pair) = Pair::start().await else { return };
    pair.gates.iter().for_each(Gate::open);
    let careful = Ask::say("Hello!").max_tokens(4).risk("high");
    pair.world.client.plain(&careful).await.expect("there is a scorer");

    pair.admin.distrust(pair.scorer.id()).await;
    wait_until("it scores no more", async || {
        let node = pair.world.admin.node(pair.scorer.id()).await;
        (node.code != "scorer").then_some(())
    })
    .await;
    let refusal = pair.world.client.plain(&careful).await.expect_err("nobody could check it");
    assert_eq!(refusal.error["code"], "no_scorer", "{refusal:?}");

    pair.admin.trust(pair.scorer.id()).await;
    wait_until("it scores again", async || pair.world.client.plain(&careful).await.ok().map(drop))
        .await;
    pair.end().await;
}

#[tokio::test]
async fn a_purse_that_is_named_at_one_gateway_is_known_to_the_other() {
    let Some(pair) = Pair::start().await else { return };
    pair.gates.iter().for_each(Gate::open);
    let [one, other] = [&pair.nodes[0], &pair.nodes[1]];
    let both = |job: &JobView| job.has_part(one.id()) && job.has_part(other.id());
    let job = pair.job().await;
    assert!(both(&job), "three nodes for a set of three: {job:#?}");

    for node in [one, other] {
        let operator = OperatorClient::of(&pair.admin, &pair.other.url(), node.operator).await;
        let address = json!({"address": format!("0x{}", "a".repeat(40))});
        let set = operator.ask(Method::PUT, "payout-address", address).await;
        assert_eq!(set.status, StatusCode::OK, "{:#}", set.body);
    }
    wait_until("the two are not asked together", async || (!both(&pair.job().await)).then_some(()))
        .await;
    for _ in 0..JOBS {
        let job = pair.job().await;
        assert!(!both(&job), "{job:#?}");
    }
    pair.end().await;
}
