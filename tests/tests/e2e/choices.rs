//! Several answers to one request: each a verified job of its own, held for together.

use assay_model::sampler;
use assay_tests::{
    Ask, Behaviour, Gate, ScriptedNode, World,
    money::{Factor, Tokens, cost},
    scripted::Manners,
    world::CREDIT,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::receipts::checked_choice;

async fn three(world: &World) -> [ScriptedNode; 3] {
    let node = async || {
        let manners = Manners { slots: 4, ..Behaviour::Honest.into() };
        world.scripted_of(world.operator().await, manners).await
    };
    [node().await, node().await, node().await]
}

fn story(choices: u32) -> Ask {
    Ask::say("Tell me a story.").with("temperature", 1).max_tokens(16).with("n", choices)
}

#[tokio::test]
async fn each_choice_is_a_job_of_its_own_with_its_own_seed_and_receipt() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = three(&world).await;
    let ask = story(5);
    let answer = world.client.plain(&ask).await.expect("an answer");
    let choices = answer.json["choices"].as_array().expect("choices");
    assert_eq!((choices.len(), answer.jobs.len()), (5, 5));
    assert_eq!(answer.json["id"], format!("chatcmpl-{}", answer.jobs[0]));
    assert_eq!(answer.json.get("x_assay"), None);
    world.admin.no_job_runs().await;
    let (mut prompt, mut completion) = (0, 0);
    for (index, choice) in choices.iter().enumerate() {
        assert_eq!(choice["index"], index);
        assert_eq!(choice["x_assay"]["receipt"], json!(answer.jobs[index]));
        let job = world.admin.job(&answer.jobs[index]).await;
        assert_eq!(job.state, "succeeded");
        let tokens = Tokens { prompt: job.prompt_tokens, completion: job.completion_tokens };
        assert_eq!(job.cost, cost(tokens, Factor::Standard));
        (prompt, completion) = (prompt + tokens.prompt, completion + tokens.completion);

        let checked = checked_choice(&world, &ask, &answer.json, &answer.jobs[index]).await;
        let ids = world.model.prompt("Tell me a story.");
        let index = u32::try_from(index).unwrap();
        assert_eq!(checked.receipt.seed, sampler::client_seed(7, index, &ids));
    }
    assert_eq!((answer.prompt_tokens, answer.completion_tokens), (prompt, completion));
    let texts: std::collections::BTreeSet<&str> =
        choices.iter().filter_map(|choice| choice["message"]["content"].as_str()).collect();
    assert!(texts.len() > 1, "other dice, other stories: {texts:?}");
    let again = world.client.plain(&ask).await.expect("an answer");
    let said = |json: &Value| {
        json["choices"].as_array().unwrap().iter().map(|c| c["message"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(said(&again.json), said(&answer.json), "the same seed says the same");
    world.finish().await;
}

#[tokio::test]
async fn choices_are_streamed_side_by_side() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = three(&world).await;
    let ask = story(3);
    let plain = world.client.plain(&ask).await.expect("an answer");
    let stream = world.client.stream(&ask).await.expect("a stream");
    let jobs = stream.jobs.clone();
    let streamed = stream.rest().await;
    assert!(streamed.done);
    for index in 0..3_u64 {
        let choice = &plain.json["choices"][usize::try_from(index).unwrap()];
        assert_eq!(streamed.texts[&index], choice["message"]["content"].as_str().unwrap());
        assert_eq!(streamed.finishes[&index], choice["finish_reason"].as_str().unwrap());
    }
    let roles =
        streamed.chunks.iter().filter(|chunk| chunk["choices"][0]["delta"]["role"].is_string());
    assert_eq!(roles.count(), 3);
    assert_eq!(streamed.usage, Some(plain.json["usage"].clone()));
    world.admin.no_job_runs().await;
    for job in &jobs {
        checked_choice(&world, &ask.clone().streamed(), &json!(streamed.chunks), job).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn credit_is_held_for_all_choices_or_for_none() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = three(&world).await;
    let prompt = u32::try_from(world.model.prompt("Tell me a story.").len()).unwrap();
    let one = cost(Tokens { prompt, completion: 16 }, Factor::Standard);
    let (account, poor) = world.client_with(3 * one - 1).await;
    for ask in [story(3), story(3).keyed("poor")] {
        let refused = poor.plain(&ask).await.expect_err("one nano is missing");
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.error["code"], "insufficient_quota");
        let balance = world.admin.balance(account).await;
        assert_eq!((balance.available, balance.held), (3 * one - 1, 0));
    }
    assert_eq!(nodes.iter().map(|node| node.seen().offers).sum::<u32>(), 0, "nobody was asked");
    poor.plain(&story(2)).await.expect("for two it is enough");
    world.finish().await;
}

/// A request fails as a whole: what its other choices came to is not charged.
#[tokio::test]
async fn one_choice_that_fails_fails_the_request_and_nothing_is_charged() {
    let settings = "[serving]\nchoices_at_once = 1\nplace_wait_ms = 300\nfailover_wait_ms = 300";
    let world = World::with(settings).await;
    let scorer = world.scorer().await;
    let gate = Gate::closed();
    let node = || world.paced(Behaviour::Honest, &gate);
    let nodes = [node().await, node().await, node().await];
    let ask =
        Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(16).with("n", 2);
    gate.allow(3 * 16);
    let leaving = async move {
        for node in &nodes {
            node.wait_for("has begun the second", |seen| seen.starts == 2).await;
        }
        drop((nodes, scorer));
    };
    let (answer, ()) = tokio::join!(world.client.plain(&ask), leaving);
    let refused = answer.expect_err("nobody is left for the second");
    assert!(refused.status.is_server_error(), "{refused:?}");
    world.admin.no_job_runs().await;
    let jobs = world.admin.jobs().await;
    assert_eq!(jobs.len(), 2);
    assert!(jobs.iter().all(|job| (job.state.as_str(), job.cost) == ("failed", 0)), "{jobs:#?}");
    assert_eq!(world.admin.balance(world.account).await.available, CREDIT);
    world.finish().await;
}

#[tokio::test]
async fn more_choices_than_the_gateway_allows_are_refused_by_name() {
    let world = World::with("[serving]\nchoices_max = 4").await;
    let refused = world.client.plain(&story(5)).await.expect_err("too many");
    assert_eq!((refused.status, &refused.error["param"]), (StatusCode::BAD_REQUEST, &json!("n")));
    let many = Ask::go_on(json!(["a", "b", "c", "d", "e"]));
    let refused = world.client.plain(&many).await.expect_err("too many");
    assert_eq!(
        (refused.status, &refused.error["param"]),
        (StatusCode::BAD_REQUEST, &json!("prompt"))
    );
    world.finish().await;
}
