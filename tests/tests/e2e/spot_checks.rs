//! Answers that do not match: the model itself decides who is paid.

use assay_protocol::Finish;
use assay_tests::{
    Ask, Behaviour, Gate, Model, ScriptedNode, World,
    money::{Factor, Passed, Split, Tokens, cost, split},
};

use crate::expect::{
    assert_not_charged, assert_outcome, assert_paid, assert_split, assert_undisturbed,
};

/// A question whose answer ends by itself and is long enough to be tampered with.
async fn story(model: &std::sync::Arc<Model>) -> Ask {
    let ask = Ask::say("Tell me a story.");
    let answer = model.expected(&ask).await;
    let usable = answer.finish == Finish::Stop && answer.ids.len() >= 6;
    assert!(usable, "the stories need a model that tells one: {answer:?}");
    ask
}

#[tokio::test]
async fn one_node_that_passes_alone_gets_half_and_the_client_the_other_half() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let honest = world.honest().await;
    let canned = world.scripted(Behaviour::Canned).await;
    let random = world.scripted(Behaviour::Random).await;

    let ask = story(&world.model).await;
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;

    let job = world.admin.job(&answer.job).await;
    assert_eq!(job.rounds, 1);
    assert_outcome(&job, &honest, "passed");
    assert_outcome(&job, &canned, "failed_spot_check");
    assert_outcome(&job, &random, "failed_spot_check");
    let split = assert_paid(&world, &job, &[(&honest).into()], 3).await;
    let whole = cost(
        Tokens { prompt: job.prompt_tokens, completion: job.completion_tokens },
        Factor::Standard,
    );
    let shared = whole - whole * 50 / 1_000;
    assert_eq!(split.each, shared / 2, "half of P");
    world.finish().await;
}

#[tokio::test]
async fn when_none_passes_a_new_set_of_nodes_is_asked_and_paid() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gate = Gate::closed();
    let liars = [
        world.paced(Behaviour::Random, &gate).await,
        world.paced(Behaviour::Random, &gate).await,
        world.paced(Behaviour::Canned, &gate).await,
    ];
    let ask = story(&world.model).await;

    let answer = async {
        let answer = world.client.plain(&ask).await.expect("an answer");
        assert_undisturbed(&world, &ask, &answer).await;
        answer
    };
    let later = async {
        for liar in &liars {
            liar.is_started().await;
        }
        // The first set is complete: whoever comes now can only be of the second.
        let second = [world.honest().await, world.honest().await, world.honest().await];
        gate.open();
        second
    };
    let (answer, second) = tokio::join!(answer, later);

    let job = world.admin.job(&answer.job).await;
    assert_eq!(job.rounds, 2, "{job:#?}");
    for liar in &liars {
        assert_outcome(&job, liar, "failed_spot_check");
        assert_eq!(job.part(liar.id()).round, 1);
    }
    for node in &second {
        assert_outcome(&job, node, "agreed");
        assert_eq!(job.part(node.id()).round, 2);
    }
    let passed: Vec<_> = second.iter().map(Into::into).collect();
    assert_paid(&world, &job, &passed, 3).await;
    world.finish().await;
}

#[tokio::test]
async fn when_none_passes_and_nobody_is_left_the_client_keeps_its_money() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let liars = [
        world.scripted(Behaviour::Random).await,
        world.scripted(Behaviour::Canned).await,
        world.scripted(Behaviour::Random).await,
    ];
    let ask = story(&world.model).await;
    let refusal = world.client.plain(&ask).await.expect_err("nobody was honest");
    assert!(refusal.status.is_server_error(), "{refusal:?}");
    assert_eq!(refusal.error["type"], "server_error");
    let message = refusal.error["message"].as_str().expect("a sentence");
    assert!(
        message.contains("verification") && message.contains("nothing was charged"),
        "{message}"
    );

    world.admin.no_job_runs().await;
    let job = &world.admin.jobs().await[0];
    assert_not_charged(&world, job).await;
    for liar in &liars {
        assert_outcome(job, liar, "failed_spot_check");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_refuted_majority_gets_nothing() {
    the_majority_is_refuted("standard", Factor::Standard).await;
}

#[tokio::test]
async fn a_refuted_majority_gets_nothing_at_high_risk_either() {
    the_majority_is_refuted("high", Factor::High).await;
}

/// Two owners forge the same end, one goes on: the whole answer is the client's, and the majority's share
/// goes back to the client with its fee.
async fn the_majority_is_refuted(risk: &'static str, factor: Factor) {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let honest = world.honest().await;
    let pair =
        [world.scripted(Behaviour::Truncate).await, world.scripted(Behaviour::Truncate).await];
    let ask = story(&world.model).await.risk(risk);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;

    let job = world.admin.job(&answer.job).await;
    for liar in &pair {
        assert_outcome(&job, liar, "failed_end_check");
    }
    assert_outcome(&job, &honest, "vindicated");
    let tokens = Tokens { prompt: job.prompt_tokens, completion: job.completion_tokens };
    let whole = cost(tokens, factor);
    let alone = split(whole, Passed { of_them: 1, asked: 3 });
    // The fee is of what is paid only.
    let fee = whole * 50 / 1_000;
    let fee = i128::from(fee) * i128::from(alone.each) / i128::from(whole - fee);
    let fee = i64::try_from(fee).expect("a part of a fee");
    let expected = Split { cost: alone.each + fee, fee, ..alone };
    assert_split(&world, &job, &[(&honest).into()], expected).await;
    world.finish().await;
}

/// What two colluders agree on reaches a client that streams; then the model contradicts it, and the
/// client hears of that and pays nothing.
#[tokio::test]
async fn colluders_cannot_charge_for_a_lie_that_went_out() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gate = Gate::closed();
    let honest = world.paced(Behaviour::Honest, &gate).await;
    let pair = [world.scripted(Behaviour::Canned).await, world.scripted(Behaviour::Canned).await];
    let ask = story(&world.model).await;

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| text.len() > 10).await;
    gate.open();
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(!streamed.done, "it does not look finished");
    let error = streamed.error.expect("an error ends it");
    assert_eq!(error["code"], "not_verified", "{error}");

    let job = world.admin.job(&job).await;
    assert_not_charged(&world, &job).await;
    for liar in &pair {
        assert_outcome(&job, liar, "failed_spot_check");
    }
    let outcome = &job.part(honest.id()).outcome;
    assert!(!outcome.starts_with("failed"), "the honest node is not blamed: {outcome}");
    world.finish().await;
}

#[tokio::test]
async fn a_truncated_answer_is_caught_by_the_end_check() {
    one_liar(Behaviour::Truncate, "failed_end_check").await;
}

#[tokio::test]
async fn an_answer_padded_past_its_end_is_caught_by_the_end_check() {
    one_liar(Behaviour::Pad, "failed_end_check").await;
}

#[tokio::test]
async fn random_tokens_are_caught() {
    one_liar(Behaviour::Random, "failed_spot_check").await;
}

#[tokio::test]
async fn a_single_edited_token_is_caught() {
    one_liar(Behaviour::Edit, "failed_spot_check").await;
}

/// One honest node, one that cheats, and one that tells another story: no two agree, so it is the model
/// that tells them apart.
async fn one_liar(behaviour: Behaviour, outcome: &str) {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let honest = world.honest().await;
    let liar: ScriptedNode = world.scripted(behaviour).await;
    let other = world.scripted(Behaviour::Canned).await;

    let ask = story(&world.model).await;
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;

    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &liar, outcome);
    assert_outcome(&job, &other, "failed_spot_check");
    assert_paid(&world, &job, &[(&honest).into()], 3).await;
    world.finish().await;
}
