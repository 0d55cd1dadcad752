//! A job in plain words and decimal money.

use serde_json::Value;

/// One line: what was decided and why, what it cost, what each node did and got. `names`: of nodes,
/// by id, in the order in which they are told.
pub(super) fn job(job: &Value, names: &[(String, String)]) -> String {
    let number = |key: &str| job[key].as_i64().unwrap_or_default();
    let mut parts: Vec<&Value> = job["nodes"].as_array().into_iter().flatten().collect();
    let place = |part: &Value| names.iter().position(|(id, _)| part["node_id"] == **id);
    parts.sort_by_key(|part| (part["round"].as_i64(), place(part)));
    let nodes: Vec<String> = parts.into_iter().map(|part| node(part, names)).collect();
    format!(
        "{id}  {ended} · {prompt} + {answer} tokens · {cost} credits{returned} · {nodes}",
        id = job["id"].as_str().unwrap_or("?"),
        ended = ended(job),
        prompt = number("prompt_tokens"),
        answer = number("completion_tokens"),
        cost = credits(number("cost_nano")),
        returned = match number("reserve_nano") {
            0 => String::new(),
            reserve => format!(" ({} to the reserve)", credits(reserve)),
        },
        nodes = nodes.join("; "),
    )
}

fn ended(job: &Value) -> String {
    let verdict = |key: &str| job["verdict"][key].as_i64().unwrap_or_default();
    let equal = format!("{} of {} equal", verdict("nodes_agreed"), verdict("nodes_asked"));
    let checked = match verdict("positions_checked") {
        0 => String::new(),
        positions => format!(", the model asked at {positions} positions"),
    };
    let round = match job["rounds"].as_i64().unwrap_or_default() {
        0 | 1 => String::new(),
        round => format!(", in round {round}"),
    };
    match (job["state"].as_str().unwrap_or("?"), job["verdict"]["rule"].as_str()) {
        ("succeeded", Some("agreement")) => {
            format!("verified by agreement, {equal}{checked}{round}")
        }
        ("succeeded", Some("majority")) => format!("verified by majority, {equal}{checked}{round}"),
        ("succeeded", Some("spot_checks")) => format!("verified by spot checks{checked}{round}"),
        ("succeeded", Some("trusted")) => {
            format!("answered by one proven node, not drawn for a check{round}")
        }
        ("succeeded", rule) => format!("verified ({}){checked}{round}", rule.unwrap_or("?")),
        ("cancelled", _) => "the client left, charged for what it got".to_owned(),
        (state, _) => format!("{state}: {}", job["reason"].as_str().unwrap_or("?")),
    }
}

fn node(part: &Value, names: &[(String, String)]) -> String {
    let id = part["node_id"].as_str().unwrap_or("?");
    let name = names.iter().find(|(known, _)| known == id).map_or(id, |(_, name)| name);
    let outcome = part["outcome"].as_str().unwrap_or("?");
    let did = match (part["role"].as_str().unwrap_or("?"), outcome) {
        ("score", "passed") => "scored",
        (_, "agreed") => "agreed",
        (_, "vindicated") => "differed, and the model says it is right",
        (_, "passed") => "passed the spot checks",
        (_, "trusted") => "answered alone, trusted",
        (_, "failed_spot_check") => "CAUGHT: the model contradicts its tokens",
        (_, "failed_end_check") => "CAUGHT: the model would not end there",
        (_, "failed_whole_answer") => "CAUGHT: too far from the model as a whole",
        (_, "failed_logits") => "CAUGHT: its logits are not the model's",
        (_, "failed_structure") => "CAUGHT: no answer that this model could give",
        (_, "left") => "left in the middle",
        (_, "violation") => "CAUGHT: broke the protocol",
        (_, "unverified") => "could not be checked",
        (_, "cancelled") => "was called off",
        (_, other) => other,
    };
    match part["pay_nano"].as_i64().unwrap_or_default() {
        0 => format!("{name} {did}, paid nothing"),
        pay => format!("{name} {did}, paid {}", credits(pay)),
    }
}

/// Credits from 1e-9 credits, without trailing zeros: 34,800 is `0.0000348`.
pub(crate) fn credits(nano: i64) -> String {
    let sign = if nano < 0 { "-" } else { "" };
    let nano = nano.unsigned_abs();
    let text = format!("{sign}{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_read_as_decimals() {
        for (nano, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (34_800, "0.0000348"),
            (1_000_000_000, "1"),
            (-12_500_000_000, "-12.5"),
        ] {
            assert_eq!(credits(nano), text);
        }
    }

    #[test]
    fn a_caught_liar_is_named_with_the_reason_and_no_pay() {
        let line = job(
            &json!({
                "id": "j1", "state": "succeeded", "prompt_tokens": 21, "completion_tokens": 9,
                "cost_nano": 34_800, "reserve_nano": 0, "rounds": 1,
                "verdict": { "rule": "majority", "nodes_asked": 3, "nodes_agreed": 2,
                    "positions_checked": 9 },
                "nodes": [
                    { "node_id": "a", "role": "generate", "outcome": "agreed", "pay_nano": 16_530 },
                    { "node_id": "b", "role": "generate", "outcome": "failed_spot_check", "pay_nano": 0 },
                ],
            }),
            &[("a".to_owned(), "node-1".to_owned()), ("b".to_owned(), "cheat".to_owned())],
        );
        assert_eq!(
            line,
            "j1  verified by majority, 2 of 3 equal, the model asked at 9 positions · 21 + 9 tokens · 0.0000348 credits \
             · node-1 agreed, paid 0.00001653; cheat CAUGHT: the model contradicts its tokens, paid nothing"
        );
    }
}
