//! The sampling fields of a request, checked and put into the sampler's terms.

use std::collections::BTreeMap;

use assay_protocol::{Sampling, TokenId};

use super::{InvalidRequest, chat_request::ChatRequest};

/// The sampler's own bound; OpenAI documents none.
const LOGIT_BIAS_ENTRIES_MAX: usize = 1_024;

/// OpenAI's defaults: temperature 1, no masks, no penalties.
pub(super) fn sampling(request: &ChatRequest) -> Result<Sampling, InvalidRequest> {
    let between = |param: &str, value: Option<f64>, default: f64, low: f64, high: f64| {
        let value = value.unwrap_or(default);
        if (low..=high).contains(&value) {
            return Ok(value);
        }
        Err(InvalidRequest::of(param, format!("'{param}' must be between {low} and {high}.")))
    };
    Ok(Sampling {
        temperature: between("temperature", request.temperature, 1.0, 0.0, 2.0)?,
        top_p: between("top_p", request.top_p, 1.0, 0.0, 1.0)?,
        min_p: between("min_p", request.min_p, 0.0, 0.0, 1.0)?,
        presence_penalty: between("presence_penalty", request.presence_penalty, 0.0, -2.0, 2.0)?,
        frequency_penalty: between("frequency_penalty", request.frequency_penalty, 0.0, -2.0, 2.0)?,
        top_k: top_k(request.top_k)?,
        logit_bias: logit_bias(request.logit_bias.as_ref())?,
        grammar: None,
        top_logprobs: None,
    })
}

/// −1 and 0 mean all, as in other servers.
fn top_k(value: Option<i64>) -> Result<u32, InvalidRequest> {
    let value = value.unwrap_or(0).max(0);
    u32::try_from(value).map_err(|_| InvalidRequest::of("top_k", "'top_k' is too large."))
}

fn logit_bias(
    value: Option<&BTreeMap<String, f64>>,
) -> Result<Vec<(TokenId, f64)>, InvalidRequest> {
    let Some(value) = value else { return Ok(Vec::new()) };
    if value.len() > LOGIT_BIAS_ENTRIES_MAX {
        return Err(InvalidRequest::of(
            "logit_bias",
            format!("'logit_bias' may hold at most {LOGIT_BIAS_ENTRIES_MAX} entries."),
        ));
    }
    let mut by_id = BTreeMap::new();
    for (key, bias) in value {
        let param = format!("logit_bias.{key}");
        let id: TokenId = key
            .parse()
            .map_err(|_| InvalidRequest::of(&param, "Keys of 'logit_bias' must be token ids."))?;
        if !(-100.0..=100.0).contains(bias) {
            return Err(InvalidRequest::of(param, "A logit bias must be between -100 and 100."));
        }
        if by_id.insert(id, *bias).is_some() {
            return Err(InvalidRequest::of(param, "'logit_bias' names a token twice."));
        }
    }
    Ok(by_id.into_iter().collect())
}
