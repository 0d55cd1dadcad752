//! A response that is vectors, as numbers or as base64 of their bytes: both say the same bits.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{NoResponse, Saved, text};
use crate::receipt::{
    bound::{EMBEDDING_PREFIX, vectors_content},
    canonical::Json,
};

/// Whether this is the body of an embedding, and no chat.
pub(super) fn is_one(json: &Json) -> bool {
    json.get("data").and_then(Json::as_list).is_some()
}

/// Reads the vectors in the order of their inputs. The job is named in `x_assay`, since the body has no id.
pub(super) fn read(json: &Json) -> Result<Saved, NoResponse> {
    let data = json.get("data").and_then(Json::as_list).ok_or(NoResponse::Lacks("data"))?;
    let mut vectors = Vec::new();
    for (index, entry) in data.iter().enumerate() {
        let found = entry.get("index").and_then(Json::as_u32);
        if found.is_none_or(|found| found as usize != index) {
            return Err(NoResponse::Lacks("index in order"));
        }
        let vector = entry.get("embedding").and_then(vector);
        vectors.extend(vector.ok_or(NoResponse::Lacks("embedding"))?);
    }
    let extra = json.get("x_assay").ok_or(NoResponse::Lacks("x_assay"))?;
    let job = text(extra, "receipt")?;
    let usage = json.get("usage").ok_or(NoResponse::Lacks("usage"))?;
    let count = |key| usage.get(key).and_then(Json::as_u32).ok_or(NoResponse::Lacks("usage"));
    let (prompt, total) = (count("prompt_tokens")?, count("total_tokens")?);
    if prompt != total {
        return Err(NoResponse::Usage { prompt, completion: 0, total });
    }
    Ok(Saved {
        content: vectors_content(&vectors),
        tool_calls: Vec::new(),
        id: format!("{EMBEDDING_PREFIX}{job}"),
        model: text(json, "model")?,
        finish_reason: Some("embedded".to_owned()),
        usage: Some((prompt, 0)),
        output_ids: None,
        logprobs: Vec::new(),
        vectors,
        choice: 0,
        job: None,
    })
}

fn vector(embedding: &Json) -> Option<Vec<f32>> {
    match embedding.as_list() {
        #[expect(clippy::cast_possible_truncation, reason = "it was written from 32 bits")]
        Some(list) => list.iter().map(|it| it.as_f64().map(|number| number as f32)).collect(),
        None => {
            let bytes = BASE64.decode(embedding.as_text()?).ok()?;
            let (whole, rest) = bytes.as_chunks::<4>();
            rest.is_empty().then(|| whole.iter().map(|it| f32::from_le_bytes(*it)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(embedding: &str) -> Vec<u8> {
        format!(
            r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":{embedding}}}],
            "model":"m","usage":{{"prompt_tokens":3,"total_tokens":3}},"x_assay":{{"receipt":"j"}}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn numbers_and_base64_say_the_same() {
        let numbers = Saved::parse(&body("[0.6,-0.8]")).unwrap();
        let bytes: Vec<u8> = [0.6_f32, -0.8].iter().flat_map(|it| it.to_le_bytes()).collect();
        let base64 = Saved::parse(&body(&format!("\"{}\"", BASE64.encode(bytes)))).unwrap();
        assert_eq!(numbers, base64);
        assert_eq!((numbers.vectors.as_slice(), numbers.id.as_str()), (&[0.6, -0.8][..], "embd-j"));
        assert_ne!(numbers.content, Saved::parse(&body("[0.6,0.8]")).unwrap().content);
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        for wrong in ["null", "[\"a\"]", "\"AAA=\"", "\"?\""] {
            assert!(Saved::parse(&body(wrong)).is_err(), "{wrong}");
        }
    }
}
