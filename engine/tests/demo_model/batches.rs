//! However an honest engine computes, it says the same: in either form, alone or in a batch.

use std::ops::ControlFlow;

use assay_engine::{BATCH_MAX, Engine, EngineConfig, EngineError, Form, GenerateRequest};
use assay_protocol::{Bytes32, Finish, Sampling, TokenId};

use crate::support::{
    HONEST_MARGIN_MAX, engine, engine_with, largest_margin, prompt, request, score, warm, write,
};

/// What two honest logits may differ by.
const HONEST_LOGIT_DIFFERENCE_MAX: f32 = 1e-4;

type Answer = (Vec<TokenId>, Vec<f32>, Finish);

fn engines() -> [Engine; 2] {
    [Form::A, Form::B].map(|form| {
        let engine = engine_with(&EngineConfig { form: Some(form), ..EngineConfig::default() });
        assert_eq!(engine.form(), form);
        engine
    })
}

fn write_batch(engine: &mut Engine, requests: &[GenerateRequest]) -> Vec<Answer> {
    let mut written = vec![(Vec::new(), Vec::new()); requests.len()];
    let finishes = engine.generate_batch(requests, &mut |number, id, logit| {
        written[number].0.push(id);
        written[number].1.push(logit);
        ControlFlow::Continue(())
    });
    let finishes = finishes.expect("answers");
    written.into_iter().zip(finishes).map(|((ids, logits), finish)| (ids, logits, finish)).collect()
}

/// Short and long prompts, short and long answers, warm and cold, one of them with a prefix.
fn requests(engine: &Engine) -> Vec<GenerateRequest> {
    let asked = [
        "Hello!",
        "Tell me a story about a fox.",
        "What is 2 + 2?",
        "Tell me a story. Let it be about a bear, and let it be long. Where does the bear live?",
        "Count to ten.",
        "What is Assay?",
        "Tell me a story about an owl.",
        "What is the capital of France?",
    ];
    let mut requests: Vec<_> = asked
        .iter()
        .zip(0..)
        .map(|(text, number)| {
            let sampling = if number % 2 == 0 { Sampling::default() } else { warm() };
            let seed = Bytes32([number; 32]);
            let max_tokens = 40;
            GenerateRequest { seed, max_tokens, ..request(prompt(engine, text), sampling) }
        })
        .collect();
    requests[3].prefix = engine.text().encode("Once").unwrap();
    requests[6].max_tokens = 9;
    requests
}

#[test]
fn a_batch_says_what_each_answer_says_alone_in_either_form() {
    let [mut a, mut b] = engines();
    let requests = requests(&a);
    let alone: Vec<Answer> =
        requests.iter().flat_map(|one| write_batch(&mut a, std::slice::from_ref(one))).collect();
    let lens: Vec<usize> = alone.iter().map(|(ids, ..)| ids.len()).collect();
    assert!(lens.iter().max() > lens.iter().min(), "rows end at different times: {lens:?}");

    for engine in [&mut a, &mut b] {
        for batch in [write_batch(engine, &requests), alone_of(engine, &requests)] {
            for (expected, found) in alone.iter().zip(&batch) {
                assert_eq!((&found.0, found.2), (&expected.0, expected.2));
                for (one, other) in expected.1.iter().zip(&found.1) {
                    assert!((one - other).abs() < HONEST_LOGIT_DIFFERENCE_MAX, "{one} and {other}");
                }
            }
        }
    }
}

fn alone_of(engine: &mut Engine, requests: &[GenerateRequest]) -> Vec<Answer> {
    requests.iter().flat_map(|one| write_batch(engine, std::slice::from_ref(one))).collect()
}

#[test]
fn either_form_finds_the_other_honest_and_an_edit_dishonest() {
    let [mut a, mut b] = engines();
    let asked = request(prompt(&a, "Tell me a story about a fox."), warm());
    let (mut output, _) = write(&mut b, &asked);
    assert!(largest_margin(&score(&mut a, &asked, &output)) <= HONEST_MARGIN_MAX);
    assert!(largest_margin(&score(&mut b, &asked, &output)) <= HONEST_MARGIN_MAX);

    let place = output.len() / 2;
    output[place] = if output[place] == 100 { 101 } else { 100 };
    for engine in [&mut a, &mut b] {
        assert!(score(engine, &asked, &output)[place].margin > HONEST_MARGIN_MAX);
    }
}

#[test]
fn a_caller_ends_one_answer_of_a_batch_and_the_others_go_on() {
    let mut engine = engine();
    let asked = request(prompt(&engine, "Tell me a story."), Sampling::default());
    let whole = write(&mut engine, &asked);
    let mut lens = [0; 3];
    let finishes =
        engine.generate_batch(&[asked.clone(), asked.clone(), asked], &mut |number, _, _| {
            lens[number] += 1;
            if number == 1 && lens[1] == 4 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
    assert_eq!(finishes.unwrap(), [whole.1, Finish::Told, whole.1]);
    assert_eq!(lens, [whole.0.len(), 4, whole.0.len()]);
}

#[test]
fn batches_near_the_end_of_the_context_stay_inside_it() {
    for mut engine in engines() {
        let context = engine.text().manifest.context_length as usize;
        let mut long = prompt(&engine, "Tell me a story.").repeat(context);
        long.truncate(context - 3);
        let short = prompt(&engine, "Tell me a story about a fox.");
        let requests = [long, short]
            .map(|prompt| GenerateRequest { max_tokens: 24, ..request(prompt, warm()) });
        let together = write_batch(&mut engine, &requests);
        let alone = alone_of(&mut engine, &requests);
        assert!(together[0].0.len() <= 3 && together[1].0.len() > 16);
        for (one, other) in together.iter().zip(&alone) {
            assert_eq!((&one.0, one.2), (&other.0, other.2), "form {}", engine.form());
        }
    }
}

#[test]
fn a_batch_with_a_bad_request_or_too_many_writes_nothing() {
    let mut engine = engine();
    let good = request(prompt(&engine, "Hello!"), Sampling::default());
    let bad = GenerateRequest { prompt: Vec::new(), ..good.clone() };
    let unseen = &mut |_, _, _| panic!("nothing may be written");
    let error = engine.generate_batch(&[good.clone(), bad], unseen).unwrap_err();
    assert!(matches!(error, EngineError::EmptyPrompt), "{error}");
    let many = vec![good; BATCH_MAX + 1];
    let error = engine.generate_batch(&many, unseen).unwrap_err();
    assert!(error.is_bad_request(), "{error}");
    assert_eq!(engine.generate_batch(&[], unseen).unwrap(), []);
}
