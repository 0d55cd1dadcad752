//! A response as a client saved it: the body of a plain answer, or the list of a stream's chunks or events.

mod calls;
mod embedding;
mod logprobs;
mod responses;

use std::collections::BTreeSet;

use assay_protocol::{JobId, TokenId};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{
    bound::{Response, content_digest, tool_calls_digest},
    canonical::{Json, NotJson},
};
use crate::wire::{Reader, Writer};
pub use calls::SavedCall;
pub use logprobs::SavedLogprob;

/// What a client holds of its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    pub content: String,
    pub tool_calls: Vec<SavedCall>,
    pub id: String,
    pub model: String,
    pub finish_reason: Option<String>,
    /// Prompt and completion tokens; a stream has them only if its client asked.
    pub usage: Option<(u32, u32)>,
    /// The ids of the answer, which the gateway adds in `x_assay`.
    pub output_ids: Option<Vec<TokenId>>,
    /// What it tells of each token but the end token, if it was asked for.
    pub logprobs: Vec<SavedLogprob>,
    /// Of a response that is vectors: all of them, one input after the other.
    pub vectors: Vec<f32>,
    /// Which choice of the response this is.
    pub choice: u32,
    /// The job that answered it; named where there are several choices.
    pub job: Option<String>,
}

/// Why a saved response cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoResponse {
    #[error(transparent)]
    Json(#[from] NotJson),
    #[error("it is an error: {0}")]
    IsError(String),
    #[error(
        "it has no {0}, or not in the form of a chat completion, a completion, a response or a list of embeddings"
    )]
    Lacks(&'static str),
    #[error("its chunks do not belong to one answer")]
    Mixed,
    #[error("its usage does not add up: {prompt} + {completion} is not {total}")]
    Usage { prompt: u32, completion: u32, total: u32 },
}

impl Saved {
    /// Reads a `chat.completion` or `text_completion` with one choice, or the list of a stream's chunks.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoResponse> {
        Self::read(bytes, None)
    }

    /// Reads the choice that this job answered.
    pub fn parse_choice(bytes: &[u8], job: JobId) -> Result<Self, NoResponse> {
        Self::read(bytes, Some(&job.to_string()))
    }

    fn read(bytes: &[u8], job: Option<&str>) -> Result<Self, NoResponse> {
        let json = Json::parse(bytes)?;
        if embedding::is_one(&json) {
            return embedding::read(&json);
        }
        let pieces = json.as_list().unwrap_or(std::slice::from_ref(&json));
        if responses::are_events(pieces) {
            return responses::read(pieces);
        }
        let (choice, job) = chosen(pieces, job)?;
        let first = pieces.first().ok_or(NoResponse::Lacks("chunks"))?;
        let mut saved = Self {
            content: String::new(),
            tool_calls: Vec::new(),
            id: text(first, "id")?,
            model: text(first, "model")?,
            finish_reason: None,
            usage: None,
            output_ids: None,
            logprobs: Vec::new(),
            vectors: Vec::new(),
            choice,
            job,
        };
        pieces.iter().try_for_each(|piece| saved.take(piece))?;
        Ok(saved)
    }

    /// What the receipt binds; where a stream lacks something, `known` stands in.
    pub fn bound(&self, finish_reason: &str, usage: (u32, u32)) -> Response {
        let (prompt_tokens, completion_tokens) = self.usage.unwrap_or(usage);
        Response {
            id: self.id.clone(),
            model: self.model.clone(),
            finish_reason: self.finish_reason.as_deref().unwrap_or(finish_reason).to_owned(),
            prompt_tokens,
            completion_tokens,
            content: content_digest(&self.content),
            tool_calls: tool_calls_digest(&self.tool_calls),
        }
    }

    fn take(&mut self, piece: &Json) -> Result<(), NoResponse> {
        fail_on_error(piece)?;
        if text(piece, "id")? != self.id || text(piece, "model")? != self.model {
            return Err(NoResponse::Mixed);
        }
        // Of several choices it is the sum.
        if let Some(usage) = piece.get("usage").filter(|_| self.job.is_none()) {
            self.usage = Some(read_usage(usage, ["prompt_tokens", "completion_tokens"])?);
        }
        let choices = piece.get("choices").and_then(Json::as_list);
        let choices = choices.ok_or(NoResponse::Lacks("choices"))?;
        let own = |choice: &&Json| index_of(choice) == Some(self.choice);
        let own: Vec<&Json> = choices.iter().filter(own).collect();
        own.iter().try_for_each(|choice| self.take_choice(choice))?;
        own.into_iter().chain([piece]).try_for_each(|from| self.take_ids(from))
    }

    /// From `x_assay` of a choice or of the whole.
    fn take_ids(&mut self, from: &Json) -> Result<(), NoResponse> {
        if let Some(ids) = from.get("x_assay").and_then(|extra| extra.get("output_ids")) {
            let ids = ids.as_text().and_then(read_ids);
            self.output_ids = Some(ids.ok_or(NoResponse::Lacks("readable output_ids"))?);
        }
        Ok(())
    }

    fn take_choice(&mut self, choice: &Json) -> Result<(), NoResponse> {
        if let Some(told) = choice.get("logprobs") {
            logprobs::take(&mut self.logprobs, told)?;
        }
        if let Some(text) = choice.get("text") {
            self.content.push_str(text.as_text().ok_or(NoResponse::Lacks("text"))?);
            return self.take_finish(choice);
        }
        let said = match (choice.get("message"), choice.get("delta")) {
            (Some(_), Some(_)) => return Err(NoResponse::Mixed),
            (said, None) | (None, said) => said.ok_or(NoResponse::Lacks("message"))?,
        };
        if let Some(content) = said.get("content") {
            self.content.push_str(content.as_text().ok_or(NoResponse::Lacks("content"))?);
        }
        if let Some(calls) = said.get("tool_calls") {
            calls::take(&mut self.tool_calls, calls)?;
        }
        self.take_finish(choice)
    }

    fn take_finish(&mut self, choice: &Json) -> Result<(), NoResponse> {
        if let Some(reason) = choice.get("finish_reason") {
            let reason = reason.as_text().ok_or(NoResponse::Lacks("finish_reason"))?;
            self.finish_reason = Some(reason.to_owned());
        }
        Ok(())
    }
}

fn fail_on_error(piece: &Json) -> Result<(), NoResponse> {
    let Some(error) = piece.get("error") else { return Ok(()) };
    let said = error.get("message").and_then(Json::as_text).unwrap_or("no message");
    Err(NoResponse::IsError(said.to_owned()))
}

/// The index of the choice that this job answered, and its name if the response names jobs by choice. Without a job
/// there must be one choice.
fn chosen(pieces: &[Json], job: Option<&str>) -> Result<(u32, Option<String>), NoResponse> {
    let choices = || pieces.iter().filter_map(|piece| piece.get("choices")?.as_list()).flatten();
    let several = || NoResponse::Lacks("single choice");
    let indices: BTreeSet<Option<u32>> = choices().map(index_of).collect();
    if indices.iter().all(|index| *index == Some(0)) {
        return Ok((0, None));
    }
    let answered = |choice: &&Json| {
        let named = choice.get("x_assay").and_then(|extra| extra.get("receipt"));
        named.and_then(Json::as_text).is_some_and(|named| Some(named) == job)
    };
    let choice = choices().find(answered).and_then(index_of).ok_or_else(several)?;
    Ok((choice, job.map(str::to_owned)))
}

fn index_of(choice: &Json) -> Option<u32> {
    choice.get("index").map_or(Some(0), Json::as_u32)
}

/// Of a prompt and its answer, under these names.
fn read_usage(usage: &Json, [prompt, completion]: [&str; 2]) -> Result<(u32, u32), NoResponse> {
    let count = |key| usage.get(key).and_then(Json::as_u32).ok_or(NoResponse::Lacks("usage"));
    let (prompt, completion) = (count(prompt)?, count(completion)?);
    let total = count("total_tokens")?;
    if prompt.checked_add(completion) != Some(total) {
        return Err(NoResponse::Usage { prompt, completion, total });
    }
    Ok((prompt, completion))
}

fn text(json: &Json, key: &'static str) -> Result<String, NoResponse> {
    let text = json.get(key).and_then(Json::as_text).ok_or(NoResponse::Lacks(key))?;
    Ok(text.to_owned())
}

/// Ids for `x_assay`: seven bits a byte, then base64.
pub fn write_ids(ids: &[TokenId]) -> String {
    let mut writer = Writer::default();
    for id in ids {
        writer.number((*id).into());
    }
    BASE64.encode(writer.finish())
}

fn read_ids(text: &str) -> Option<Vec<TokenId>> {
    let bytes = BASE64.decode(text).ok()?;
    let mut reader = Reader::new(&bytes);
    let mut ids = Vec::new();
    while reader.clone().end().is_err() {
        ids.push(reader.small("id").ok()?);
    }
    Some(ids)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_stream_says_what_the_plain_answer_says() {
        let plain = br#"{"id":"i","model":"m","choices":[{"index":0,"message":{"role":"assistant",
            "content":"hi you"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5},"x_assay":{"output_ids":"BQY="}}"#;
        let streamed =
            br#"[{"id":"i","model":"m","usage":null,"choices":[{"delta":{"content":"hi "}}]},
            {"id":"i","model":"m","choices":[{"delta":{"content":"you"},"finish_reason":"stop"}]},
            {"id":"i","model":"m","choices":[],"x_assay":{"output_ids":"BQY="},
            "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}]"#;
        let (plain, streamed) = (Saved::parse(plain).unwrap(), Saved::parse(streamed).unwrap());
        assert_eq!(plain, streamed);
        assert_eq!(plain.output_ids, Some(vec![5, 6]));
    }

    #[test]
    fn of_several_choices_one_is_read_by_its_job() {
        let (one, two) = (JobId(Uuid::from_u128(1)), JobId(Uuid::from_u128(2)));
        let plain = format!(
            r#"{{"id":"i","model":"m","choices":[{{"index":0,"text":"a","finish_reason":"stop",
            "x_assay":{{"receipt":"{one}","output_ids":"BQ=="}}}},{{"index":1,"text":"b","finish_reason":"length",
            "x_assay":{{"receipt":"{two}","output_ids":"Bg=="}}}}],
            "usage":{{"prompt_tokens":6,"completion_tokens":2,"total_tokens":8}}}}"#
        );
        let streamed = format!(
            r#"[{{"id":"i","model":"m","choices":[{{"index":1,"delta":{{"content":"b"}}}}]}},
            {{"id":"i","model":"m","choices":[{{"index":0,"delta":{{"content":"a"}}}}]}},
            {{"id":"i","model":"m","choices":[{{"index":1,"delta":{{}},"finish_reason":"length",
            "x_assay":{{"receipt":"{two}","output_ids":"Bg=="}}}}]}}]"#
        );
        assert!(Saved::parse(plain.as_bytes()).is_err(), "which one?");
        let read = |text: &str| Saved::parse_choice(text.as_bytes(), two).unwrap();
        let saved = read(&plain);
        assert_eq!((saved.choice, saved.content.as_str(), saved.usage), (1, "b", None));
        assert_eq!(saved.output_ids, Some(vec![6]));
        assert_eq!(read(&streamed), saved);
        let stranger = JobId(Uuid::from_u128(3));
        assert!(Saved::parse_choice(plain.as_bytes(), stranger).is_err());
    }

    #[test]
    fn what_is_no_answer_is_named() {
        let read = |text: &str| Saved::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            read(r#"{"id":"i","model":"m","error":{"message":"no"}}"#),
            "it is an error: no"
        );
        assert!(read(r#"{"model":"m"}"#).contains("no id"));
        assert!(read("[]").contains("no chunks"));
        let two = r#"[{"id":"i","model":"m","choices":[]},{"id":"j","model":"m","choices":[]}]"#;
        assert!(read(two).contains("one answer"));
    }

    proptest! {
        #[test]
        fn ids_are_read_as_they_were_written(ids in prop::collection::vec(any::<u32>(), 0..40)) {
            prop_assert_eq!(read_ids(&write_ids(&ids)), Some(ids));
        }
    }
}
