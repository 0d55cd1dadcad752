//! One story for each cheat of the zoo that no other module tells of: what catches it, that it is not paid, and
//! that the honest nodes beside it are.

use assay_tests::{
    Ask, Behaviour, Pace, World,
    calibrated::{calibrated, class, shipped_class},
    zoo::NEAR,
};

use crate::{
    expect::{assert_outcome, assert_paid, assert_undisturbed},
    records::{Member, PROVEN, join, record},
};

/// Ten times what 16 bits differ by.
const WIDE_TAU_LOGIT: f64 = 2e-2;

/// A story with many ways to go on, so that whoever does not do the work is bound to differ.
fn warm(world: &World) -> Ask {
    let ask = Ask::say("Tell me a story about a fox.").with("temperature", 1.5).with("seed", 11);
    ask.endless(world.model.end_token).max_tokens(40)
}

/// Two honest nodes and a cheat whose tokens are not the model's.
async fn is_caught(kind: Behaviour, outcome: &str) {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let honest = [world.honest().await, world.honest().await];
    let cheat = world.scripted(kind).await;

    let ask = warm(&world);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &cheat, outcome);
    assert_paid(&world, &job, &[(&honest[0]).into(), (&honest[1]).into()], 3).await;
    world.finish().await;
}

#[tokio::test]
async fn an_answer_from_the_cache_is_caught_when_the_seed_is_another() {
    is_caught(Behaviour::Cached, "failed_spot_check").await;
}

#[tokio::test]
async fn a_node_that_reads_half_of_the_prompt_is_caught() {
    is_caught(Behaviour::OtherPrompt, "failed_spot_check").await;
}

#[tokio::test]
async fn another_temperature_is_caught() {
    is_caught(Behaviour::WrongTemperature, "failed_spot_check").await;
}

#[tokio::test]
async fn a_smaller_model_is_caught() {
    is_caught(Behaviour::Smaller, "failed_spot_check").await;
}

#[tokio::test]
async fn an_earlier_checkpoint_is_caught() {
    is_caught(Behaviour::Earlier, "failed_spot_check").await;
}

#[tokio::test]
async fn the_right_text_in_more_tokens_is_caught() {
    is_caught(Behaviour::Inflate, "failed_spot_check").await;
}

/// The logits are the true model's, but its noise is not in the text.
#[tokio::test]
async fn a_text_with_forged_evidence_is_caught() {
    is_caught(Behaviour::Prefill, "failed_spot_check").await;
}

fn capital() -> Ask {
    Ask::say("What is the capital of France?").max_tokens(12)
}

/// Two honest nodes and one whose text is mostly the right one, and whose logits are not.
async fn is_caught_by_its_logits(kind: Behaviour) {
    is_caught_by_its_logits_in(World::new().await, kind).await;
}

async fn is_caught_by_its_logits_in(world: World, kind: Behaviour) {
    let _scorer = world.scorer().await;
    let honest = [world.honest().await, world.honest().await];
    let cheat = world.scripted(kind).await;
    let ask = capital();
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &cheat, "failed_logits");
    assert_paid(&world, &job, &[(&honest[0]).into(), (&honest[1]).into()], 3).await;
    world.finish().await;
}

#[tokio::test]
async fn weights_of_sixteen_bits_are_caught_by_their_logits() {
    is_caught_by_its_logits(Behaviour::Fp16).await;
}

#[tokio::test]
async fn weights_of_eight_bits_are_caught_by_their_logits() {
    is_caught_by_its_logits(Behaviour::Int8).await;
}

#[tokio::test]
async fn weights_of_four_bits_are_caught_by_their_logits() {
    is_caught_by_its_logits(Behaviour::Q4).await;
}

#[tokio::test]
async fn weights_and_activations_of_eight_bits_are_caught_by_their_logits() {
    is_caught_by_its_logits(Behaviour::Int8Dynamic).await;
}

#[tokio::test]
async fn made_up_logits_are_caught_although_the_text_is_right() {
    is_caught_by_its_logits(Behaviour::ForgeLogits).await;
}

/// The class that a node claims decides nothing, although this model has a class that 16 bits would pass.
#[tokio::test]
async fn a_claim_to_be_of_another_class_widens_no_limit() {
    let folder = tempfile::tempdir().expect("a folder for a model");
    let classes = [("cpu-fp32", shipped_class()), ("cuda-bf16", class(NEAR, WIDE_TAU_LOGIT))];
    let world = World::with(&calibrated(folder.path(), classes)).await;
    is_caught_by_its_logits_in(world, Behaviour::FalseClass).await;
    // The same weights, where that class is the only one.
    let folder = tempfile::tempdir().expect("a folder for a model");
    let classes = [("cuda-bf16", class(NEAR, WIDE_TAU_LOGIT))];
    let world = World::with(&calibrated(folder.path(), classes)).await;
    let _scorer = world.scorer().await;
    let _honest = [world.honest().await, world.honest().await];
    let cheat = world.scripted(Behaviour::FalseClass).await;
    let answer = world.client.plain(&capital()).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &cheat, "agreed");
    world.finish().await;
}

#[tokio::test]
async fn two_colluders_who_agree_on_an_answer_are_refuted_by_the_third() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let honest = world.honest().await;
    let pair = [world.scripted(Behaviour::Collude).await, world.scripted(Behaviour::Collude).await];
    let ask = warm(&world).risk("high");
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    for node in &pair {
        assert_outcome(&job, node, "failed_spot_check");
        assert_eq!(world.admin.earned(node.operator).await, 0);
    }
    assert_outcome(&job, &honest, "vindicated");
    assert!(world.admin.earned(honest.operator).await > 0);
    world.finish().await;
}

/// Nothing that it hears holds another node's answer: it waits until its time is over.
#[tokio::test]
async fn a_node_that_waits_to_copy_finds_nothing_to_copy() {
    let world = World::with("[serving]\nstall_ms = 3000\nfirst_token_ms = 3000").await;
    let _scorer = world.scorer().await;
    let honest = [world.honest().await, world.honest().await];
    let copier = world.scripted(Behaviour::Copy).await;
    let ask = warm(&world);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &copier, "left");
    assert_eq!(copier.seen().prefix_tokens, 0, "no tokens of others came with its start");
    assert_paid(&world, &job, &[(&honest[0]).into(), (&honest[1]).into()], 3).await;
    world.finish().await;
}

#[tokio::test]
async fn a_slow_node_is_waited_for_and_paid() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let honest = [world.honest().await, world.honest().await];
    let slow = world.scripted(Behaviour::Slow).await;
    let ask = warm(&world);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    let passed = [(&honest[0]).into(), (&honest[1]).into(), (&slow).into()];
    assert_paid(&world, &job, &passed, 3).await;
    world.finish().await;
}

/// Its good name in tiny jobs is worth nothing in a large one.
#[tokio::test]
async fn a_dust_farmer_is_paid_for_dust_and_caught_at_its_first_lie() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _honest = [world.honest().await, world.honest().await];
    let farmer = world.scripted(Behaviour::DustFarmer).await;
    for _ in 0..3 {
        let dust = Ask::say("Hello!").max_tokens(2);
        let answer = world.client.plain(&dust).await.expect("an answer");
        let job = world.admin.job(&answer.job).await;
        assert_outcome(&job, &farmer, "agreed");
    }
    let ask = warm(&world);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &farmer, "failed_spot_check");
    assert_eq!(job.part(farmer.id()).pay, 0);
    world.finish().await;
}

/// It was honest as long as every answer was checked. Its name is gone with its first lie.
#[tokio::test]
async fn a_node_that_was_honest_until_it_was_trusted_loses_its_name_with_its_first_lie() {
    let mut world = World::new().await;
    let operator = world.operator().await;
    let cheat = Member { operator, identity: world.enrol(operator).await };
    let is_proven =
        async |world: &World| world.admin.node(cheat.identity.node).await.reputation[0].proven;
    {
        let _scorer = world.scorer().await;
        let _honest = [world.honest().await, world.honest().await];
        let new = join(&world, cheat.clone(), Behaviour::UntilTrusted, Pace::Free).await;
        let answer = world.client.plain(&warm(&world)).await.expect("an answer");
        let job = world.admin.job(&answer.job).await;
        assert_outcome(&job, &new, "agreed");
        assert!(job.part(new.id()).pay > 0 && !is_proven(&world).await, "{job:#?}");
    }
    record(&mut world, &[cheat.identity.node], PROVEN).await;
    let _scorer = world.scorer().await;
    let _honest = [world.honest().await, world.honest().await];
    let trusted = join(&world, cheat.clone(), Behaviour::UntilTrusted, Pace::Free).await;
    assert!(is_proven(&world).await);

    let ask = warm(&world).with("seed", 12);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &trusted, "failed_spot_check");
    assert_eq!(job.part(trusted.id()).pay, 0);
    let view = world.admin.node(trusted.id()).await;
    assert!(!view.reputation[0].proven && view.reputation[0].checks_due > 19.0, "{view:#?}");
    world.finish().await;
}

#[tokio::test]
async fn a_node_that_cheats_in_every_tenth_job_is_caught_in_the_tenth() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _honest = [world.honest().await, world.honest().await];
    let cheat = world.scripted(Behaviour::OneInTen).await;
    for nth in 1..=10 {
        let ask = Ask::say("Tell me a story.").max_tokens(12);
        let answer = world.client.plain(&ask).await.expect("an answer");
        assert_undisturbed(&world, &ask, &answer).await;
        let job = world.admin.job(&answer.job).await;
        let outcome = if nth == 10 { "failed_spot_check" } else { "agreed" };
        assert_outcome(&job, &cheat, outcome);
        assert_eq!(job.part(cheat.id()).pay > 0, nth != 10, "{job:#?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn the_signature_of_an_earlier_answer_is_no_signature() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _honest = [world.honest().await, world.honest().await];
    let cheat = world.scripted(Behaviour::ReplaySignature).await;
    let mut outcomes = Vec::new();
    for text in ["Hello!", "Who are you?"] {
        let answer = world.client.plain(&Ask::say(text)).await.expect("an answer");
        let job = world.admin.job(&answer.job).await;
        if job.has_part(cheat.id()) {
            outcomes.push((job.part(cheat.id()).outcome.clone(), job.part(cheat.id()).pay));
        }
    }
    assert_eq!(outcomes.last(), Some(&("violation".to_owned(), 0)), "{outcomes:?}");
    world.finish().await;
}
