//! A thousand random schemas: whatever the model draws under one satisfies it, the check under the same mask finds
//! nothing, and who draws without the mask is outside of it, but for the few whom nothing had to be forbidden. Where a
//! schema sets no end, an answer that was cut has begun one that would satisfy it.

use std::ops::ControlFlow;

use assay_engine::{
    BATCH_MAX, Engine, EngineConfig, GenerateRequest, Runtime, RuntimeConfig, ScoreRequest,
};
use assay_model::{AnswerForm, ChatMessage, FormFields};
use assay_protocol::{Bytes32, Finish, PositionScore, Sampling, TokenId};
use assay_tests::{
    binaries::demo_model,
    schemas::{open, schema},
};
use assay_verifier::rules::TAU_GAP;
use serde_json::{Value, json};

const SCHEMAS: u64 = 1_000;
/// More than any of the answers needs.
const TOKENS_MAX: u32 = 900;
/// A beginning is enough to show that nobody masked it: the model was taught JSON, but not these schemas.
const UNMASKED_TOKENS: u32 = 48;
/// Schemas at most whose answer the model may know by itself.
const UNFORCED_MAX: usize = 20;
const OPEN_SCHEMAS: u64 = 165;
/// As far as an answer without an end is followed.
const OPEN_TOKENS_MAX: u32 = 120;

struct Case {
    schema: Value,
    request: GenerateRequest,
}

fn case(engine: &Engine, number: u64, schema: Value, max_tokens: u32) -> Case {
    let format = json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": schema}});
    let fields = FormFields { response_format: Some(format), ..FormFields::default() };
    let grammar = AnswerForm::read(&fields).and_then(|form| form.grammar(engine.text()));
    let grammar = grammar.unwrap_or_else(|wrong| panic!("schema {number}: {wrong}: {schema}"));
    let ask = ChatMessage::new("user", format!("Tell me about {number} as JSON."));
    let prompt = engine.text().encode(&engine.text().render(&[ask]).unwrap()).unwrap();
    let temperature = [0.0, 0.7, 1.0][usize::try_from(number % 3).unwrap()];
    let sampling = Sampling { temperature, grammar, ..Sampling::default() };
    let seed = Bytes32([u8::try_from(number % 251).unwrap(); 32]);
    let request = GenerateRequest { prompt, prefix: Vec::new(), max_tokens, sampling, seed };
    Case { schema, request }
}

fn write(engine: &mut Engine, requests: &[GenerateRequest]) -> Vec<(Vec<TokenId>, Finish)> {
    let mut outputs = vec![Vec::new(); requests.len()];
    let on_token = &mut |number: usize, id, _| {
        outputs[number].push(id);
        ControlFlow::Continue(())
    };
    let finishes = engine.generate_batch(requests, on_token).unwrap();
    outputs.into_iter().zip(finishes).collect()
}

fn scores(engine: &mut Engine, case: &Case, output: &[TokenId]) -> Vec<PositionScore> {
    let GenerateRequest { prompt, sampling, seed, .. } = case.request.clone();
    engine.score(&ScoreRequest { prompt, output: output.to_vec(), sampling, seed }).unwrap()
}

/// What the check finds of an answer that was drawn under the mask: nothing.
fn clean(engine: &mut Engine, case: &Case, output: &[TokenId], text: &str) -> Vec<PositionScore> {
    let scores = scores(engine, case, output);
    let largest = scores.iter().map(|score| score.margin).fold(0.0, f64::max);
    assert!(largest <= TAU_GAP, "{}: {text}: {largest}", case.schema);
    scores
}

fn satisfies(case: &Case, text: &str) -> Result<(), String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let validator = jsonschema::options().should_validate_formats(true).build(&case.schema);
    let validator = validator.map_err(|error| error.to_string())?;
    validator.validate(&value).map_err(|error| error.to_string())
}

fn read(engine: &Engine, output: &[TokenId]) -> String {
    let mut detokenizer = engine.text().detokenizer();
    let text: String = output.iter().map(|id| detokenizer.push(*id)).collect();
    text + &detokenizer.finish()
}

#[test]
fn a_thousand_schemas_are_kept_checked_and_not_to_be_ignored() {
    let runtime = Runtime::load(&RuntimeConfig::default()).unwrap();
    let mut engine = Engine::open(&runtime, &demo_model(), &EngineConfig::default()).unwrap();
    let (mut tokens, mut forced, mut unforced) = (0, 0, 0);
    let numbers: Vec<u64> = (0..SCHEMAS).collect();
    for numbers in numbers.chunks(BATCH_MAX) {
        let case = |number: &u64| case(&engine, *number, schema(*number), TOKENS_MAX);
        let cases: Vec<Case> = numbers.iter().map(case).collect();
        let requests: Vec<_> = cases.iter().map(|case| case.request.clone()).collect();
        let masked = write(&mut engine, &requests);
        for (case, (output, finish)) in cases.iter().zip(&masked) {
            let text = read(&engine, output);
            assert_eq!(*finish, Finish::Stop, "{}: {text}", case.schema);
            satisfies(case, &text)
                .unwrap_or_else(|error| panic!("{}: {text}: {error}", case.schema));
            let scores = clean(&mut engine, case, output, &text);
            tokens += scores.len();
            forced += scores.iter().filter(|score| score.sum_p2 > 1.0 - 1e-9).count();
        }
        let unmasked: Vec<_> = requests.into_iter().map(without_mask).collect();
        let unmasked = write(&mut engine, &unmasked);
        for (case, ((output, _), (kept, _))) in cases.iter().zip(unmasked.iter().zip(&masked)) {
            let scores = scores(&mut engine, case, output);
            let is_outside = |score: &PositionScore| score.margin >= PositionScore::OUTSIDE;
            if kept.starts_with(output) {
                unforced += 1;
            } else {
                assert!(scores.iter().any(is_outside), "{}: {output:?}", case.schema);
            }
        }
    }
    println!("{SCHEMAS} schemas, {tokens} tokens, {forced} of them forced");
    assert!(unforced <= UNFORCED_MAX, "{unforced} answers that no mask touched");
}

/// Strings, numbers, lists and fields without bounds, which most schemas have.
#[test]
fn what_has_no_end_of_its_own_is_kept_as_far_as_it_goes() {
    let runtime = Runtime::load(&RuntimeConfig::default()).unwrap();
    let mut engine = Engine::open(&runtime, &demo_model(), &EngineConfig::default()).unwrap();
    let (mut ended, mut cut) = (0, 0);
    let numbers: Vec<u64> = (0..OPEN_SCHEMAS).collect();
    for numbers in numbers.chunks(BATCH_MAX) {
        let case = |number: &u64| case(&engine, *number, open(*number), OPEN_TOKENS_MAX);
        let cases: Vec<Case> = numbers.iter().map(case).collect();
        let requests: Vec<_> = cases.iter().map(|case| case.request.clone()).collect();
        for (case, (output, finish)) in cases.iter().zip(write(&mut engine, &requests)) {
            let text = read(&engine, &output);
            clean(&mut engine, case, &output, &text);
            if finish == Finish::Stop {
                satisfies(case, &text)
                    .unwrap_or_else(|error| panic!("{}: {text}: {error}", case.schema));
                ended += 1;
                continue;
            }
            // It was cut in the middle of something: the model may not end where the schema is not satisfied.
            assert_eq!((finish, output.len()), (Finish::Length, OPEN_TOKENS_MAX as usize));
            let error = serde_json::from_str::<Value>(&text).expect_err(&text);
            assert!(error.is_eof(), "{}: {text}: {error}", case.schema);
            cut += 1;
        }
    }
    assert!(ended > cut, "{ended} ended, {cut} were cut");
    println!("{ended} answers ended, {cut} were cut");
}

fn without_mask(request: GenerateRequest) -> GenerateRequest {
    let sampling = Sampling { grammar: None, ..request.sampling };
    GenerateRequest { sampling, max_tokens: UNMASKED_TOKENS, ..request }
}
