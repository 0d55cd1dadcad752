//! One answer at a time: it ends by itself, repeats itself from any prefix, and the model's own judgement
//! finds what was changed in it.

use std::ops::ControlFlow;

use assay_engine::{EngineConfig, EngineError, ExecutionProvider, GenerateRequest};
use assay_protocol::{Bytes32, Finish, Sampling};

use crate::support::{
    HONEST_MARGIN_MAX, engine, engine_with, largest_margin, prompt, request, score, warm, write,
};

#[test]
fn a_greedy_answer_ends_by_itself_and_scores_clean() {
    let mut engine = engine();
    let asked = request(prompt(&engine, "Hello!"), Sampling::default());
    let mut reported = Vec::new();
    let mut output = Vec::new();
    let finish = engine
        .generate(&asked, &mut |id, logit| {
            output.push(id);
            reported.push(logit);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(finish, Finish::Stop);
    assert!(engine.text().is_end(*output.last().unwrap()));
    assert!(output.len() > 3);

    let scores = score(&mut engine, &asked, &output);
    assert_eq!(scores.len(), output.len());
    assert!(largest_margin(&scores) <= HONEST_MARGIN_MAX);
    for (score, (id, logit)) in scores.iter().zip(output.iter().zip(reported)) {
        assert_eq!(score.own, *id);
        assert!((score.logit - logit).abs() < 1e-4, "{score:?} was reported as {logit}");
    }
}

#[test]
fn a_seeded_answer_repeats_and_another_seed_is_seen() {
    let mut engine = engine();
    let asked = request(prompt(&engine, "Tell me a story."), warm());
    let (output, finish) = write(&mut engine, &asked);
    assert_eq!(write(&mut engine, &asked), (output.clone(), finish));
    assert!(largest_margin(&score(&mut engine, &asked, &output)) <= HONEST_MARGIN_MAX);

    let other = GenerateRequest { seed: Bytes32([8; 32]), ..asked };
    assert_ne!(write(&mut engine, &other).0, output);
    assert!(largest_margin(&score(&mut engine, &other, &output)) > HONEST_MARGIN_MAX);
}

#[test]
fn an_answer_goes_on_alike_from_any_prefix() {
    let mut engine = engine();
    let asked = request(prompt(&engine, "Tell me a story about a fox."), warm());
    let (output, finish) = write(&mut engine, &asked);
    for cut in 0..=output.len() {
        let asked = GenerateRequest { prefix: output[..cut].to_vec(), ..asked.clone() };
        assert_eq!(write(&mut engine, &asked), (output.clone(), finish), "cut at {cut}");
    }
}

#[test]
fn one_edited_token_is_seen_where_it_stands() {
    let mut engine = engine();
    let asked = request(prompt(&engine, "Count to ten."), Sampling::default());
    let (mut output, _) = write(&mut engine, &asked);
    let place = output.len() / 2;
    output[place] = if output[place] == 100 { 101 } else { 100 };
    let scores = score(&mut engine, &asked, &output);
    assert!(largest_margin(&scores[..place]) <= HONEST_MARGIN_MAX);
    assert!(scores[place].margin > HONEST_MARGIN_MAX, "{:?}", scores[place]);
    assert_ne!(scores[place].own, output[place]);
}

#[test]
fn an_answer_ends_at_its_most_tokens_or_when_the_caller_has_enough() {
    let mut engine = engine();
    let asked = request(prompt(&engine, "Tell me a story."), Sampling::default());
    let short = GenerateRequest { max_tokens: 5, ..asked.clone() };
    let (output, finish) = write(&mut engine, &short);
    assert_eq!((output.len(), finish), (5, Finish::Length));
    let full = GenerateRequest { prefix: output.clone(), ..short };
    assert_eq!(write(&mut engine, &full), (output, Finish::Length));

    let mut seen = 0;
    let finish = engine.generate(&asked, &mut |_, _| {
        seen += 1;
        if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((finish.unwrap(), seen), (Finish::Told, 3));
}

#[test]
fn an_answer_never_outgrows_the_context() {
    let mut engine = engine();
    let context = engine.text().manifest.context_length as usize;
    let mut words = prompt(&engine, "Tell me a story.").repeat(context);
    words.truncate(context - 2);
    let (output, finish) = write(&mut engine, &request(words.clone(), Sampling::default()));
    assert!(output.len() <= 2);
    assert!(finish == Finish::Length || output.len() < 2);

    words.extend([5; 3]);
    let asked = request(words, Sampling::default());
    let error = engine.generate(&asked, &mut |_, _| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, EngineError::TooLong { .. }), "{error}");
}

#[test]
fn what_cannot_be_answered_is_the_requests_fault() {
    let mut engine = engine();
    let vocabulary = engine.text().manifest.vocab_size;
    let good = request(prompt(&engine, "Hello!"), Sampling::default());
    let bad = [
        GenerateRequest { prompt: Vec::new(), ..good.clone() },
        GenerateRequest { prompt: vec![1, vocabulary], ..good.clone() },
        GenerateRequest { prefix: vec![vocabulary], ..good.clone() },
        GenerateRequest { prefix: vec![5; 3], max_tokens: 2, ..good.clone() },
        GenerateRequest {
            sampling: Sampling { temperature: f64::NAN, ..Sampling::default() },
            ..good
        },
    ];
    for request in bad {
        let error = engine.generate(&request, &mut |_, _| ControlFlow::Continue(())).unwrap_err();
        assert!(error.is_bad_request(), "{error}");
    }
}

#[test]
fn without_its_cuda_device_a_model_runs_on_the_processor() {
    let execution_provider = ExecutionProvider::Cuda { device: 99 };
    let config = EngineConfig { execution_provider, ..EngineConfig::default() };
    let mut engine = engine_with(&config);
    assert_eq!(engine.execution_provider(), "cpu");
    let asked = request(prompt(&engine, "Hello!"), Sampling::default());
    assert_eq!(write(&mut engine, &asked).1, Finish::Stop);
}
