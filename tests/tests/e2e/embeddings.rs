//! Vectors of texts: near each other on honest nodes, caught where they are not, charged by what was read.

use assay_protocol::vectors_hash;
use assay_tests::{
    Ask, Completion, World,
    binaries::{binary, embedder_model},
    embedding::{DIMENSIONS, EMBEDDER, vectors},
    money::{Factor, Passed, Tokens, cost, split},
    scripted::embedding::{embed, ids_of},
    wait_until,
};
use assay_verifier::embedding::{VECTOR_MARGIN, difference};
use serde_json::{Value, json};

use crate::expect::{Member, assert_not_charged, assert_outcome, assert_paid};

const TEXTS: [&str; 3] = ["Who are you?", "What is your name?", "How much is two and three?"];

/// A cheat: the first vector is another one, of the same length.
fn other(components: &mut [f32]) {
    components[..DIMENSIONS].reverse();
}

/// What weights in half precision do to a vector, and less.
fn nearly(components: &mut [f32]) {
    components[0] += 3e-5;
}

async fn answer(world: &World, ask: &Ask) -> Completion {
    let answer = world.client.plain(ask).await;
    answer.unwrap_or_else(|refusal| panic!("{refusal:?}\n{}", world.gateway.log()))
}

#[tokio::test]
async fn three_real_nodes_embed_and_share_what_the_input_costs() {
    let world = World::embedding("").await;
    let _scorer = world.embedding_scorer().await;
    let nodes = [
        world.embedding_agent().await,
        world.embedding_agent().await,
        world.embedding_agent().await,
    ];
    let ask = Ask::embed(json!(TEXTS)).with("user", "someone").with("dimensions", Value::Null);
    let floats = answer(&world, &ask).await;

    let inputs: Vec<Vec<u32>> = TEXTS.iter().map(|text| ids_of(text)).collect();
    let tokens: usize = inputs.iter().map(Vec::len).sum();
    let body = &floats.json;
    assert_eq!((&body["object"], &body["model"]), (&json!("list"), &json!(EMBEDDER)));
    assert_eq!(body["usage"], json!({"prompt_tokens": tokens, "total_tokens": tokens}));
    assert_eq!(body["x_assay"]["rule"], "agreement");
    let data = body["data"].as_array().expect("data");
    assert_eq!(data.len(), TEXTS.len());
    for (index, entry) in data.iter().enumerate() {
        assert_eq!((&entry["object"], &entry["index"]), (&json!("embedding"), &json!(index)));
        assert_eq!(entry["embedding"].as_array().map(Vec::len), Some(DIMENSIONS));
    }
    let found = vectors(body);
    assert!(difference(&found, &embed(inputs.clone()).await) <= VECTOR_MARGIN);
    let near = |a: usize, b: usize| -> f32 {
        let of = |at: usize| &found[at * DIMENSIONS..(at + 1) * DIMENSIONS];
        of(a).iter().zip(of(b)).map(|(a, b)| a * b).sum()
    };
    assert!(near(0, 1) > near(0, 2), "what means the same is nearer");

    let job = world.admin.job(&floats.job).await;
    assert_eq!((job.state.as_str(), job.rounds), ("succeeded", 1));
    assert_eq!((job.prompt_tokens as usize, job.completion_tokens), (tokens, 0));
    let members = nodes.each_ref().map(Member::from);
    members.iter().for_each(|member| assert_outcome(&job, *member, "agreed"));
    assert_paid(&world, &job, &members, 3).await;

    // Token ids and base64 say the same bits.
    let again = Ask::embed(json!(inputs)).with("encoding_format", "base64");
    let base64 = answer(&world, &again).await;
    assert!(base64.json["data"][0]["embedding"].is_string());
    let same: Vec<f32> = vectors(&base64.json);
    assert_eq!(vectors_hash(&same), vectors_hash(&found));
    world.finish().await;
}

#[tokio::test]
async fn a_node_that_gives_another_vector_is_caught_and_the_others_are_paid() {
    let world = World::embedding("").await;
    let _scorer = world.embedding_scorer().await;
    let (one, two) = (world.embedding_agent().await, world.embedding_agent().await);
    let liar = world.bent(nearly).await;
    let answer = answer(&world, &Ask::embed(TEXTS[0])).await;
    assert_eq!(answer.json["x_assay"]["rule"], "majority");
    let truth = embed(vec![ids_of(TEXTS[0])]).await;
    assert!(difference(&vectors(&answer.json), &truth) <= VECTOR_MARGIN);

    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &one, "agreed");
    assert_outcome(&job, &two, "agreed");
    let part = job.part(liar.id);
    assert_eq!((part.outcome.as_str(), part.pay), ("failed_whole_answer", 0));
    assert_paid(&world, &job, &[(&one).into(), (&two).into()], 3).await;
    let heard = liar.wait_for("hears why", |seen| !seen.outcomes.is_empty()).await;
    assert!(heard.outcomes[0].1.contains("off the model's"), "{heard:?}");
    world.finish().await;
}

#[tokio::test]
async fn two_cheats_against_one_honest_node_get_nothing() {
    let world = World::embedding("").await;
    let _scorer = world.embedding_scorer().await;
    let honest = world.embedding_agent().await;
    let cheats = [world.bent(other).await, world.bent(other).await];
    let answer = answer(&world, &Ask::embed(TEXTS[2])).await;
    assert_eq!(answer.json["x_assay"]["rule"], "spot_checks");
    let truth = embed(vec![ids_of(TEXTS[2])]).await;
    assert!(difference(&vectors(&answer.json), &truth) <= VECTOR_MARGIN);
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &honest, "passed");
    for cheat in &cheats {
        assert_eq!(job.part(cheat.id).outcome, "failed_whole_answer", "{job:#?}");
    }
    let tokens = Tokens { prompt: job.prompt_tokens, completion: 0 };
    let passed = Passed { of_them: 1, asked: 3 };
    let alone = split(cost(tokens, Factor::Standard), passed);
    assert_eq!(job.part(honest.id).pay, alone.each, "{job:#?}");
    assert_eq!(job.parts.iter().map(|part| part.pay).sum::<i64>(), alone.each, "{job:#?}");
    wait_until("the cheat's record shows it", async || {
        let node = world.admin.node(cheats[0].id).await;
        node.reputation.iter().any(|it| it.failures > 0.0).then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn cheats_alone_get_no_answer_accepted_and_nothing_is_charged() {
    let world = World::embedding("").await;
    let _scorer = world.embedding_scorer().await;
    let _cheats = [world.bent(other).await, world.bent(other).await];
    let refused = world.client.plain(&Ask::embed(TEXTS[0])).await.expect_err("nobody is honest");
    assert_eq!(refused.status, 502, "{refused:?}");
    let job = refused.headers["x-assay-job"].to_str().expect("an id").to_owned();
    assert_not_charged(&world, &world.admin.job(&job).await).await;
    world.finish().await;
}

#[tokio::test]
async fn what_cannot_be_embedded_is_refused_by_name() {
    let world = World::embedding("").await;
    let refused = async |ask: Ask| {
        let refusal = world.client.plain(&ask).await.expect_err("it is refused");
        let text = |key: &str| refusal.error[key].as_str().unwrap_or_default().to_owned();
        (refusal.status.as_u16(), text("param"), text("code"))
    };
    let wrong = |param: &str| (400, param.to_owned(), "invalid_value".to_owned());
    let long = vec![5; 513];
    let too_long = (400, "input".to_owned(), "context_length_exceeded".to_owned());
    assert_eq!(refused(Ask::embed(json!([[1], long]))).await, too_long);
    let many = vec![vec![5; 512]; 129];
    assert_eq!(refused(Ask::embed(json!(many))).await, too_long);
    assert_eq!(refused(Ask::embed("")).await, wrong("input"));
    assert_eq!(refused(Ask::embed(json!([99_999]))).await, wrong("input"));
    assert_eq!(refused(Ask::embed("hi").with("dimensions", 64)).await, wrong("dimensions"));
    assert_eq!(refused(Ask::embed("hi").with("model", "assay-pip")).await, wrong("model"));
    assert_eq!(refused(Ask::say("hi").with("model", EMBEDDER)).await, wrong("model"));
    let unknown = refused(Ask::embed("hi").with("model", "none")).await;
    assert_eq!(unknown, (404, "model".to_owned(), "model_not_found".to_owned()));
    let (nobody, _, code) = refused(Ask::embed("hi")).await;
    assert_eq!((nobody, code.as_str()), (503, "no_nodes"), "nobody serves it");
    world.finish().await;
}

#[tokio::test]
async fn without_credit_nobody_is_asked() {
    let world = World::embedding("").await;
    let node = world.bent(|_| {}).await;
    let (_, poor) = world.client_with(1).await;
    let refused = poor.plain(&Ask::embed(TEXTS[0])).await.expect_err("no credit");
    assert_eq!(
        (refused.status.as_u16(), &refused.error["code"]),
        (429, &json!("insufficient_quota"))
    );
    assert_eq!(refused.headers["x-should-retry"], "false");
    assert_eq!(node.wait_for("is there", |_| true).await.offers, 0);
    world.finish().await;
}

#[tokio::test]
async fn an_idempotency_key_gives_the_same_vectors_and_is_charged_once() {
    let world = World::embedding("").await;
    let _nodes = [world.embedding_agent().await, world.embedding_agent().await];
    let ask = Ask::embed(TEXTS[1]).risk("low").keyed("one and the same");
    let first = answer(&world, &ask).await;
    let again = answer(&world, &ask).await;
    assert!(again.replayed && !first.replayed);
    assert_eq!((&again.json, &again.job), (&first.json, &first.job));
    let tokens = Tokens { prompt: first.prompt_tokens, completion: 0 };
    let job = world.admin.job(&first.job).await;
    assert_eq!((job.state.as_str(), job.cost), ("succeeded", cost(tokens, Factor::Low)));
    let base64 = ask.clone().with("encoding_format", "base64");
    for other in [Ask::embed(TEXTS[2]).keyed("one and the same"), base64] {
        let other = world.client.plain(&other).await;
        assert_eq!(other.expect_err("another request").status, 422);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_receipt_of_vectors_is_checked_against_the_model_and_another_vector_is_not() {
    let world = World::embedding("[nodes]\nself_test = true\n").await;
    let _scorer = world.embedding_scorer().await;
    let _nodes = [world.embedding_agent().await, world.embedding_agent().await];
    let ask = Ask::embed(json!(TEXTS)).with("encoding_format", "base64");
    let answer = answer(&world, &ask).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path.display().to_string()
    };
    let receipt =
        wait_until("the receipt is sealed", async || world.client.receipt(&answer.job).await.ok());
    let receipt = file("receipt", &receipt.await);
    let trust = file("keys.json", &world.client.log_page("keys").await);
    // SDKs ask for base64 by themselves: what their user keeps does not say so.
    let request = file("request.json", Ask::embed(json!(TEXTS)).body.to_string().as_bytes());
    let response = file("response.json", answer.json.to_string().as_bytes());
    let model = embedder_model().display().to_string();
    let check = |response: &str| {
        let output = std::process::Command::new(binary("verifier"))
            .args(["check", &receipt, "--trust", &trust, "--request", &request])
            .args(["--response", response, "--model", &model])
            .output()
            .expect("verifier runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = check(&response);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("all 3 are its own"), "{said}");

    let mut lied = answer.json.clone();
    lied["data"][0]["embedding"] = lied["data"][1]["embedding"].clone();
    let (code, said) = check(&file("lied.json", lied.to_string().as_bytes()));
    assert_eq!(code, Some(1), "{said}");
    world.finish().await;
}
