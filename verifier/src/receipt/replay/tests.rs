//! Answers whose end is not what was asked for, though their tokens are the model's own.

use std::path::Path;

use super::*;
use crate::{
    log::{entry::AuditResult, evidence::Scored},
    receipt::fixtures::case,
};

/// The demo model's text side, with a receipt of an answer that says this and ends so.
struct Said {
    model: TextModel,
    receipt: Receipt,
    ids: Vec<TokenId>,
}

fn said(text: &str, finish: Finish) -> Said {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/demo");
    let model = TextModel::load(&folder).unwrap();
    let mut ids = model.encode(text).unwrap();
    if finish == Finish::Stop {
        ids.push(model.manifest.end_tokens[0]);
    }
    let mut receipt = case(1).receipt;
    receipt.manifest_hash = model.manifest_hash;
    receipt.verdict.as_mut().unwrap().finish = finish;
    receipt.completion_tokens = u32::try_from(ids.len()).unwrap();
    Said { model, receipt, ids }
}

impl Said {
    /// Judges it as the answer to a request with these fields.
    fn judged(&self, fields: &str) -> Result<Replay, Refusal> {
        let Self { model, ids, .. } = self;
        let name = &model.manifest.id;
        let body = format!(
            r#"{{"model":"{name}","messages":[{{"role":"user","content":"hi"}}],"temperature":0.7{fields}}}"#
        );
        let request = Request::parse(body.as_bytes()).unwrap();
        let asked = Asked::read(&request.json).unwrap();
        let prompt = asked.prompts[0].ids(&asked.form, model).unwrap();
        let mut receipt = self.receipt.clone();
        let chain = AnswerChain::start(receipt.job, receipt.salt, &prompt);
        receipt.prompt_tokens = u32::try_from(prompt.len()).unwrap();
        (receipt.prompt_link, receipt.answer_link) = (chain.hash(), chain.extended(ids).hash());
        let found = replay(&receipt, &request, None, model)?;
        check_output(&receipt, &request, None, &found, ids, model)?;
        Ok(found)
    }

    fn refusal(&self, fields: &str) -> String {
        self.judged(fields).unwrap_err().to_string()
    }
}

#[test]
fn evidence_says_what_the_model_says() {
    let receipt = case(1).receipt;
    let evidence = |link, margins: &[u64]| Evidence {
        job: receipt.job,
        round: 1,
        result: AuditResult::Passed,
        scored: vec![Scored {
            scorer: receipt.parts[0].node,
            link,
            margins_nano: margins.to_vec(),
            positions: Vec::new(),
            nodes: Vec::new(),
        }],
    };
    let judged =
        |evidence: &Evidence, margins: &[f64]| check_evidence(&receipt, evidence, margins, 1e-3);
    let link = receipt.answer_link;
    let honest = evidence(link, &[0, 500_000]);
    assert_eq!(judged(&honest, &[0.0, 0.000_1]), Ok(()));
    let refusal = judged(&honest, &[0.0, 0.1]).unwrap_err();
    assert!(matches!(refusal, Refusal::EvidenceMargin { position: 1, .. }), "{refusal}");
    for (evidence, margins) in [
        (evidence(link, &[0]), [0.0, 0.0].as_slice()),
        (evidence(receipt.prompt_link, &[0]), &[0.0]),
        (Evidence { job: assay_protocol::JobId(uuid::Uuid::nil()), ..honest.clone() }, &[0.0, 0.0]),
        (Evidence { scored: Vec::new(), ..honest.clone() }, &[]),
    ] {
        assert!(matches!(judged(&evidence, margins), Err(Refusal::Evidence(_))), "{evidence:?}");
    }
}

#[test]
fn limits_are_those_that_the_gateway_judged_by() {
    let mut receipt = case(1).receipt;
    let file = include_bytes!("../../../../model/demo/limits.json");
    receipt.limits_hash = Some(Bytes32(Sha256::digest(file).into()));
    assert_eq!(check_limits(&receipt, Some(file)), Ok(()));
    let more = String::from_utf8(file.to_vec()).unwrap().replacen("0.001", "0.1", 1);
    assert_ne!(more.as_bytes(), file);
    for found in [Some(more.as_bytes()), None] {
        assert_eq!(check_limits(&receipt, found), Err(Refusal::Limits));
    }
    receipt.limits_hash = None;
    assert_eq!(check_limits(&receipt, None), Ok(()));
    assert_eq!(check_limits(&receipt, Some(file)), Err(Refusal::Limits));
}

#[test]
fn an_answer_of_another_model_than_asked_is_refused() {
    let mut said = said("one two three", Finish::Stop);
    said.model.manifest.id = "another".into();
    said.judged("").unwrap();
    let request = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let request = Request::parse(request).unwrap();
    let refusal = replay(&said.receipt, &request, None, &said.model).unwrap_err();
    assert_eq!(refusal, Refusal::Asked("model"));
}

#[test]
fn an_end_token_a_limit_and_a_stop_string_end_an_answer() {
    said("one two three", Finish::Stop).judged("").unwrap();
    let mut long = said("one two three", Finish::Length);
    long.receipt.max_tokens = long.receipt.completion_tokens;
    let max_tokens = format!(r#","max_tokens":{}"#, long.receipt.max_tokens);
    long.judged(&max_tokens).unwrap();
    said("one two three", Finish::Told).judged(r#","stop":"three""#).unwrap();
    said("one two three", Finish::Told).judged(r#","stop":["no", "ree"]"#).unwrap();
}

#[test]
fn an_answer_that_was_cut_where_nothing_cuts_is_refused() {
    let told = said("one two three", Finish::Told);
    for fields in ["", r#","stop":"four""#, r#","stop":"two""#] {
        assert!(told.refusal(fields).contains("completes no stop string"), "{fields}");
    }
    let whole = said("one two three", Finish::Stop);
    assert!(whole.refusal(r#","stop":"two""#).contains("past a stop string"));
}

#[test]
fn an_answer_with_another_limit_than_asked_is_refused() {
    let mut short = said("one two three", Finish::Length);
    short.receipt.max_tokens = short.receipt.completion_tokens;
    assert!(short.refusal(r#","max_tokens":100"#).contains("max_tokens"));
    // Without a wish the limit is the gateway's own, within the context.
    short.judged("").unwrap();
    short.receipt.max_tokens = short.model.manifest.context_length;
    assert!(short.refusal("").contains("max_tokens"));

    let mut ended = said("one two three", Finish::Stop);
    ended.receipt.max_tokens = ended.receipt.completion_tokens;
    ended.receipt.verdict.as_mut().unwrap().finish = Finish::Length;
    assert!(ended.refusal("").contains("end token, not at its limit"));
}
