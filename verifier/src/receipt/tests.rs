//! A receipt that is good, and everything that makes it bad: whatever is changed is refused, by name.

use assay_model::Manifest;
use assay_protocol::{Bytes32, Bytes64, Finish, NodeId};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    fixtures::{Case, case},
    replay::check_manifest,
    *,
};

const ENTRIES: u64 = 1_000_000;
/// The bounds that the design sets: a receipt of one node, of three.
const BYTES_MAX: [(u8, usize); 2] = [(1, 1_536), (3, 2_560)];

fn judged(case: &Case, bundle: &Bundle) -> Result<Checked, Refusal> {
    let request = Request::parse(&case.request).unwrap();
    let response = Saved::parse(&case.response).unwrap();
    check(bundle, Some(&request), Some(&response), &case.trust)
}

#[test]
fn a_good_receipt_is_good_and_says_what_it_leaves_open() {
    let case = case(3);
    let checked = judged(&case, &case.bundle(ENTRIES)).unwrap();
    assert_eq!(checked.receipt, case.receipt);
    assert_eq!(checked.signers.len(), 3);
    assert!(checked.notes.contains(&Note::ForkNotExcluded));
    assert!(checked.notes.contains(&Note::SeedOfGateway));
    assert!(!checked.notes.contains(&Note::NeverAudited));
}

#[test]
fn receipts_stay_small() {
    for (nodes, max) in BYTES_MAX {
        let bytes = case(nodes).bundle(ENTRIES).encode().len();
        assert!(bytes <= max, "{nodes} nodes: {bytes} bytes, {max} at most");
    }
}

/// The gateway lies about one thing, and signs and logs the lie as it would the truth.
fn lie(change: impl FnOnce(&mut Receipt)) -> Refusal {
    let case = case(3);
    let mut receipt = case.receipt.clone();
    change(&mut receipt);
    judged(&case, &case.bundle_of(&receipt, ENTRIES)).unwrap_err()
}

#[test]
fn a_gateway_that_swaps_the_model_breaks_its_nodes_signatures() {
    let refusal = lie(|receipt| receipt.manifest_hash = Bytes32([8; 32]));
    assert!(matches!(refusal, Refusal::NodeSignature(_)), "{refusal}");
}

#[test]
fn a_gateway_that_changes_a_payout_does_not_add_up() {
    let refusal = lie(|receipt| {
        receipt.parts[1].pay -= 1;
        receipt.money.fee += 1;
    });
    assert!(matches!(refusal, Refusal::PaidUnequally(..)), "{refusal}");
    let refusal = lie(|receipt| receipt.parts.iter_mut().for_each(|part| part.pay -= 1));
    assert_eq!(refusal, Refusal::Money("fee, pays and reserve are not the cost"));
    let refusal = lie(|receipt| receipt.money.returned += 1);
    assert!(refusal.to_string().contains("what was held"), "{refusal}");
    for outcome in ["failed_spot_check", "left", "no word that is known"] {
        let refusal = lie(|receipt| receipt.parts[0].outcome = outcome.into());
        assert!(matches!(refusal, Refusal::PaidUndeserved { .. }), "{refusal}");
    }
    let case = case(3);
    for outcome in ["agreed", "vindicated", "passed", "trusted"] {
        let mut receipt = case.receipt.clone();
        receipt.parts[0].outcome = outcome.into();
        assert!(judged(&case, &case.bundle_of(&receipt, ENTRIES)).is_ok(), "{outcome} is paid");
    }
    let refusal = lie(|receipt| receipt.parts[0].outcome = "failed_spot_check".into());
    assert!(matches!(refusal, Refusal::PaidUndeserved { .. }), "{refusal}");
    let refusal = lie(|receipt| receipt.parts[0].signed = None);
    assert!(matches!(refusal, Refusal::PaidUnsigned(_)), "{refusal}");
    let refusal = lie(|receipt| receipt.parts[1] = receipt.parts[0].clone());
    assert!(matches!(refusal, Refusal::NodeTwice(_)), "{refusal}");
    let refusal = lie(|receipt| {
        receipt.parts.iter_mut().for_each(|part| part.pay = u64::MAX);
    });
    assert!(refusal.to_string().contains("too large"), "{refusal}");
}

#[test]
fn a_gateway_that_keeps_a_nodes_pay_or_charges_for_nothing_is_refused() {
    let refusal = lie(|receipt| {
        receipt.money.fee += receipt.parts[0].pay;
        receipt.parts[0].pay = 0;
    });
    assert!(matches!(refusal, Refusal::PaidUnequally(..)), "{refusal}");
    let keep_all = |receipt: &mut Receipt, outcome: &str| {
        receipt.money.fee = receipt.money.cost;
        for part in &mut receipt.parts {
            (part.pay, part.outcome) = (0, outcome.to_owned());
        }
    };
    let refusal = lie(|receipt| keep_all(receipt, "failed_spot_check"));
    assert!(refusal.to_string().contains("nobody who signed passed"), "{refusal}");

    // One node less: nobody but that node can know better, but the receipt says it.
    let case = case(3);
    let mut receipt = case.receipt.clone();
    receipt.money.fee += receipt.parts[0].pay;
    (receipt.parts[0].pay, receipt.parts[0].outcome) = (0, "failed_spot_check".into());
    let notes = judged(&case, &case.bundle_of(&receipt, ENTRIES)).unwrap().notes;
    let (node, outcome) = (receipt.parts[0].node, "failed_spot_check".into());
    assert!(notes.contains(&Note::Unpaid { node, outcome }));
}

#[test]
fn an_answer_that_the_receipt_calls_unfinished_is_refused_when_the_client_holds_it() {
    let unfinished = |state, tokens| {
        move |receipt: &mut Receipt| {
            (receipt.state, receipt.response, receipt.verdict) = (state, None, None);
            receipt.completion_tokens = tokens;
        }
    };
    let refusal = lie(unfinished(State::Cancelled, 3));
    assert!(refusal.to_string().contains("the response is whole"), "{refusal}");

    let mut case = case(3);
    let begun = String::from_utf8(case.response.clone()).unwrap();
    case.response = begun.replace(r#","finish_reason":"stop""#, "").into_bytes();
    let judge = |change: &dyn Fn(&mut Receipt)| {
        let mut receipt = case.receipt.clone();
        change(&mut receipt);
        judged(&case, &case.bundle_of(&receipt, ENTRIES))
    };
    assert!(judge(&unfinished(State::Cancelled, 3)).is_ok());
    let refusal = judge(&unfinished(State::Cancelled, 0)).unwrap_err();
    assert!(refusal.to_string().contains("has text"), "{refusal}");
    let refusal = judge(&|receipt| {
        unfinished(State::Failed, 0)(receipt);
        receipt.money.returned += std::mem::take(&mut receipt.money.cost);
        receipt.money.fee = 0;
        receipt.parts.clear();
    });
    let refusal = refusal.unwrap_err();
    assert!(refusal.to_string().contains("has text"), "{refusal}");
}

#[test]
fn a_cost_without_a_token_is_refused() {
    let case = case(1);
    let mut receipt = case.receipt.clone();
    (receipt.state, receipt.response, receipt.verdict) = (State::Cancelled, None, None);
    receipt.completion_tokens = 0;
    let request = Request::parse(&case.request).unwrap();
    let bundle = case.bundle_of(&receipt, ENTRIES);
    let refusal = check(&bundle, Some(&request), None, &case.trust).unwrap_err();
    assert_eq!(refusal, Refusal::Money("there is a cost and no token"));
}

#[test]
fn an_end_that_no_node_signed_is_refused() {
    // Nothing in the request could have cut it.
    let refusal = lie(|receipt| {
        receipt.verdict.as_mut().unwrap().finish = Finish::Told;
        receipt.answer_link = Bytes32([7; 32]);
    });
    assert_eq!(refusal, Refusal::AnswerUnsigned);
    let case = case(3);
    let mut receipt = case.receipt.clone();
    receipt.verdict.as_mut().unwrap().finish = Finish::Length;
    let bundle = case.bundle_of(&receipt, ENTRIES);
    // Nodes signed that they stopped by themselves.
    assert_eq!(check(&bundle, None, None, &case.trust), Err(Refusal::AnswerUnsigned));
}

#[test]
fn a_gateway_that_changes_what_was_asked_or_said_is_refused() {
    let refusal = lie(|receipt| receipt.request = Bytes32([0; 32]));
    assert_eq!(refusal, Refusal::Request);
    let refusal = lie(|receipt| receipt.response = Some(Bytes32([0; 32])));
    assert!(refusal.to_string().contains("content"), "{refusal}");
    let refusal = lie(|receipt| receipt.answer_link = Bytes32([0; 32]));
    assert_eq!(refusal, Refusal::AnswerUnsigned);
    let refusal = lie(|receipt| receipt.completion_tokens = 4);
    assert_eq!(refusal, Refusal::Response("usage"));
    let refusal = lie(|receipt| receipt.response = None);
    assert!(matches!(refusal, Refusal::Contradiction(_)), "{refusal}");
    for change in [
        |receipt: &mut Receipt| receipt.seed = Bytes32([0; 32]),
        |receipt: &mut Receipt| receipt.sampling.temperature = 0.0,
    ] {
        let refusal = lie(change);
        assert!(matches!(refusal, Refusal::NodeSignature(_)), "{refusal}");
    }
}

/// The same answer, to a request with these fields; the gateway may lie about it.
fn asked(
    fields: &str,
    headers: Headers,
    change: impl FnOnce(&mut Receipt),
) -> Result<Checked, Refusal> {
    let case = case(3);
    let body = String::from_utf8(case.request.clone()).unwrap();
    let body = body.replacen('{', &format!("{{{fields}"), 1);
    let request = Request::parse(body.as_bytes()).unwrap();
    let mut receipt = case.receipt.clone();
    receipt.request = bound::request_hash(receipt.salt, request.digest());
    change(&mut receipt);
    let bundle = case.bundle_of(&receipt, ENTRIES);
    let response = Saved::parse(&case.response).unwrap();
    check(&bundle, Some(&request.with(headers)), Some(&response), &case.trust)
}

#[test]
fn risk_nonce_and_model_are_those_that_were_asked_for() {
    let body = r#""verification":{"risk":"standard","nonce":"mine"},"#;
    let mine = |receipt: &mut Receipt| {
        (receipt.nonce, receipt.seed_from) = (Some("mine".into()), SeedFrom::Nonce);
    };
    let none = Headers::default;
    assert!(!asked(body, none(), mine).unwrap().notes.contains(&Note::NonceNotAsked));
    for (change, wrong) in
        [(Policy::Low, "risk"), (Policy::High, "risk"), (Policy::Standard, "nonce")]
    {
        let refusal = asked(body, none(), |receipt| receipt.policy = change).unwrap_err();
        assert_eq!(refusal, Refusal::Asked(wrong));
    }
    // Headers come first.
    let headers = Headers { risk: Some("low".into()), nonce: Some("other".into()) };
    assert_eq!(asked(body, headers.clone(), mine), Err(Refusal::Asked("risk")));
    let low = |receipt: &mut Receipt| {
        (receipt.policy, receipt.nonce) = (Policy::Low, Some("other".into()));
    };
    assert!(asked(body, headers, low).is_ok());
    // Who is charged for more, or had less, than the body asks for is told so.
    let notes = |policy| asked("", none(), |receipt| receipt.policy = policy).unwrap().notes;
    assert!(notes(Policy::High).contains(&Note::RiskNotAsked("high".into())));
    assert!(!notes(Policy::Standard).iter().any(|note| matches!(note, Note::RiskNotAsked(_))));
    // A nonce that nobody asked for is the gateway's.
    assert!(asked("", none(), mine).unwrap().notes.contains(&Note::NonceNotAsked));
}

#[test]
fn another_model_than_the_one_asked_for_is_refused() {
    let mut case = case(3);
    case.request = br#"{"model":"large","messages":[{"role":"user","content":"hi"}]}"#.to_vec();
    let request = Request::parse(&case.request).unwrap();
    let mut receipt = case.receipt.clone();
    receipt.request = bound::request_hash(receipt.salt, request.digest());
    let refusal = judged(&case, &case.bundle_of(&receipt, ENTRIES)).unwrap_err();
    assert_eq!(refusal, Refusal::Asked("model"));
}

#[test]
fn agreement_takes_two_who_signed_and_passed() {
    let alone = |rule: &str, change: &dyn Fn(&mut Receipt)| {
        let case = case(2);
        let mut receipt = case.receipt.clone();
        receipt.verdict.as_mut().unwrap().rule = rule.into();
        change(&mut receipt);
        judged(&case, &case.bundle_of(&receipt, ENTRIES))
    };
    let unpaid = |receipt: &mut Receipt| {
        receipt.money.reserve += std::mem::take(&mut receipt.parts[0].pay);
        receipt.parts[0].outcome = "failed_logits".into();
    };
    for rule in ["agreement", "majority"] {
        assert!(alone(rule, &|_| {}).is_ok());
        assert_eq!(alone(rule, &unpaid), Err(Refusal::Agreement(1)), "{rule}");
        // One node's work under two names.
        let twice = |receipt: &mut Receipt| {
            receipt.money.reserve += receipt.parts.pop().unwrap().pay;
        };
        assert_eq!(alone(rule, &twice), Err(Refusal::Agreement(1)), "{rule}");
    }
    assert!(alone("spot_checks", &unpaid).is_ok());
}

#[test]
fn a_key_inside_the_receipt_counts_for_nothing() {
    let mut case = case(1);
    let bundle = case.bundle(ENTRIES);
    let node = case.receipt.parts[0].node;
    case.trust.nodes.insert(node, Bytes32([9; 32]));
    assert_eq!(judged(&case, &bundle), Err(Refusal::NodeKey(node)));
    let key = case.receipt.parts[0].signed.as_ref().map(|signed| signed.key);
    case.trust.nodes.insert(node, key.unwrap());
    let checked = judged(&case, &bundle).unwrap();
    assert!(!checked.notes.contains(&Note::NodeNotPinned(node)));
    case.trust.gateways[0].until_ms = Some(case.receipt.time_ms);
    assert!(matches!(judged(&case, &bundle), Err(Refusal::Gateway(_))));
    case.trust.gateways.clear();
    let refusal = judged(&case, &bundle).unwrap_err();
    assert!(refusal.to_string().contains("not pinned"), "{refusal}");
}

#[test]
fn a_receipt_that_is_not_in_the_log_is_refused() {
    let case = case(1);
    let mut bundle = case.bundle(ENTRIES);
    bundle.index += 1;
    assert!(matches!(judged(&case, &bundle), Err(Refusal::Log(_))));
    let mut bundle = case.bundle(ENTRIES);
    bundle.note = case.bundle(ENTRIES / 2).note;
    assert!(matches!(judged(&case, &bundle), Err(Refusal::Log(_))));
}

/// Every bound field of a response, with another value.
#[test]
fn every_bound_field_of_the_response_is_held_to_the_receipt() {
    let case = case(3);
    let text = String::from_utf8(case.response.clone()).unwrap();
    for (field, from, to) in [
        ("id", "chatcmpl-0", "chatcmpl-1"),
        ("model", r#""model":"m""#, r#""model":"n""#),
        ("content", "hello", "hullo"),
        ("tool calls", r#""content":"hello""#, r#""content":"hello","tool_calls":[{"id":"t"}]"#),
        ("finish_reason", "stop", "length"),
        (
            "usage",
            r#""prompt_tokens":5,"completion_tokens":3"#,
            r#""prompt_tokens":4,"completion_tokens":4"#,
        ),
    ] {
        assert!(text.contains(from), "{field}");
        let changed = text.replacen(from, to, 1).into_bytes();
        let refusal = judged(&Case { response: changed, ..self::case(3) }, &case.bundle(ENTRIES));
        let refusal = refusal.unwrap_err().to_string();
        assert!(refusal.contains("response") && refusal.contains(field), "{field}: {refusal}");
    }
}

proptest! {
    #[test]
    fn a_changed_byte_of_the_file_is_refused_with_a_sentence(
        nodes in 1u8..4,
        at in any::<prop::sample::Index>(),
        flip in 1u8..=255,
    ) {
        let case = case(nodes);
        let mut bytes = case.bundle(ENTRIES).encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let refusal = match Bundle::decode(&bytes) {
            Ok(bundle) => judged(&case, &bundle).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        prop_assert!(refusal.split(' ').count() > 3, "{}", refusal);
    }

    /// A byte of a request that still reads as the same request (a space, say) changes nothing; any other does.
    #[test]
    fn a_changed_byte_of_the_request_is_refused(at in any::<prop::sample::Index>(), flip in 1u8..=255) {
        let case = case(1);
        let mut body = case.request.clone();
        let at = at.index(body.len());
        body[at] ^= flip;
        let same = Request::parse(&case.request).unwrap();
        match Request::parse(&body) {
            Err(error) => prop_assert!(error.to_string().contains("JSON")),
            Ok(changed) => {
                let found = check(&case.bundle(1), Some(&changed), None, &case.trust);
                match changed.json == same.json {
                    true => prop_assert!(found.is_ok()),
                    false => prop_assert_eq!(found.unwrap_err(), Refusal::Request),
                }
            }
        }
    }

    /// The folder's manifest is held to the receipt before anything in it is read.
    #[test]
    fn a_changed_byte_of_the_manifest_is_refused(at in any::<prop::sample::Index>(), flip in 1u8..=255) {
        let mut receipt = case(1).receipt;
        let mut manifest = include_bytes!("../../../model/demo/manifest.json").to_vec();
        receipt.manifest_hash = Manifest::hash_of(&manifest);
        prop_assert_eq!(check_manifest(&receipt, Manifest::hash_of(&manifest)), Ok(()));
        let at = at.index(manifest.len());
        manifest[at] ^= flip;
        let refusal = check_manifest(&receipt, Manifest::hash_of(&manifest)).unwrap_err();
        prop_assert!(refusal.to_string().contains("the model folder has manifest"));
    }

    #[test]
    fn a_changed_byte_of_the_response_is_refused(at in any::<prop::sample::Index>(), flip in 1u8..=255) {
        let case = case(1);
        let mut body = case.response.clone();
        let at = at.index(body.len());
        body[at] ^= flip;
        let same = Saved::parse(&case.response).unwrap();
        match Saved::parse(&body) {
            Err(error) => prop_assert!(error.to_string().split(' ').count() > 3),
            // What no receipt binds (`created`, say), or what left a field absent.
            Ok(changed) => {
                let usage = (case.receipt.prompt_tokens, case.receipt.completion_tokens);
                let bound = |saved: &Saved| saved.bound("stop", usage);
                let found = check(&case.bundle(1), None, Some(&changed), &case.trust);
                prop_assert_eq!(found.is_ok(), bound(&changed) == bound(&same));
            }
        }
    }

    #[test]
    fn no_file_whatever_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in any::<prop::sample::Index>()) {
        let _ = Bundle::decode(&bytes);
        let _ = Receipt::decode(&bytes);
        let _ = Saved::parse(&bytes);
        let whole = case(2).bundle(7).encode();
        prop_assert!(Bundle::decode(&whole[..cut.index(whole.len())]).is_err());
    }

    #[test]
    fn a_receipt_has_one_spelling(at in any::<prop::sample::Index>(), flip in 1u8..=255, rest in any::<u8>()) {
        let mut receipt = case(2).receipt;
        receipt.nonce = Some("n".repeat(usize::from(rest) % 129));
        receipt.sampling.logit_bias = vec![(1, -100.0), (70_000, f64::from(rest))];
        receipt.sampling.top_k = rest.into();
        receipt.parts[0].signed = None;
        receipt.parts[1].node = NodeId(Uuid::from_u128(7));
        if let Some(signed) = &mut receipt.parts[1].signed {
            signed.h_to = Bytes32([rest; 32]);
            signed.signature = Bytes64([rest; 64]);
            signed.finish = None;
        }
        let mut bytes = receipt.encode();
        prop_assert_eq!(&Receipt::decode(&bytes).unwrap(), &receipt);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(other) = Receipt::decode(&bytes) {
            prop_assert_eq!(other.encode(), bytes);
        }
    }
}
