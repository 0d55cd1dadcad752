//! An answer with choices, a chat's or a text's: whole, or piece by piece in the order that SDKs expect.

use serde::Serialize;
use serde_json::Value;

use super::{
    AnswerCall, CallDelta, ChatChunk, ChatCompletion, ChatLogprobs, Choice, ChunkChoice, Delta,
    EmbeddingList, ResponseEvent, ResponseObject, TextChoice, TextCompletion, TextLogprobs, Usage,
};

/// Which of OpenAI's objects with choices an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Chat,
    Text,
}

/// A whole answer.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Body {
    Chat(ChatCompletion),
    Text(TextCompletion),
    Response(Box<ResponseObject>),
    Vectors(EmbeddingList),
}

/// One event of a stream.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Chunk {
    Chat(ChatChunk),
    Text(TextCompletion),
    Response(ResponseEvent),
}

/// Log probabilities in the dialect of the answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Logprobs {
    Chat(ChatLogprobs),
    Text(TextLogprobs),
}

impl Logprobs {
    fn chat(self) -> Option<ChatLogprobs> {
        if let Self::Chat(logprobs) = self { Some(logprobs) } else { None }
    }

    fn text(self) -> Option<TextLogprobs> {
        if let Self::Text(logprobs) = self { Some(logprobs) } else { None }
    }
}

/// A choice that is whole.
#[derive(Clone, Debug, Default)]
pub struct WholeChoice {
    pub text: String,
    /// Of texts that were to be embedded, one after the other.
    pub vectors: Vec<f32>,
    /// Functions that it calls; none in a completion.
    pub calls: Vec<AnswerCall>,
    /// If they were asked for.
    pub logprobs: Option<Logprobs>,
    pub finish_reason: &'static str,
    /// How it was verified.
    pub verdict: Value,
}

/// What an answer in choices repeats.
#[derive(Clone, Debug)]
pub struct AnswerWriter {
    pub form: Form,
    pub id: String,
    /// Unix seconds.
    pub created: i64,
    pub model: String,
    pub system_fingerprint: String,
    pub include_usage: bool,
    /// How many choices there are.
    pub choices: usize,
}

impl Form {
    /// What the id of an answer begins with.
    pub fn id_prefix(self) -> &'static str {
        match self {
            Self::Chat => "chatcmpl-",
            Self::Text => "cmpl-",
        }
    }
}

impl AnswerWriter {
    /// The answer in one piece. The verdict of an only choice is the answer's.
    pub fn whole(&self, choices: Vec<WholeChoice>, usage: Usage) -> Body {
        let mut choices = choices;
        let x_assay = match &mut choices[..] {
            [alone] if self.choices == 1 => Some(alone.verdict.take()),
            _ => None,
        };
        let of_choice = |verdict: Value| (self.choices > 1).then_some(verdict);
        let choices = (0..).zip(choices);
        match self.form {
            Form::Chat => {
                let choices = choices.map(|(index, whole)| Choice {
                    x_assay: of_choice(whole.verdict),
                    logprobs: whole.logprobs.and_then(Logprobs::chat),
                    ..Choice::of(index, whole.text, whole.calls, whole.finish_reason)
                });
                Body::Chat(ChatCompletion {
                    id: self.id.clone(),
                    object: "chat.completion",
                    created: self.created,
                    model: self.model.clone(),
                    choices: choices.collect(),
                    usage,
                    system_fingerprint: self.system_fingerprint.clone(),
                    x_assay,
                })
            }
            Form::Text => {
                let choices = choices.map(|(index, whole)| TextChoice {
                    x_assay: of_choice(whole.verdict),
                    finish_reason: Some(whole.finish_reason),
                    logprobs: whole.logprobs.and_then(Logprobs::text),
                    ..TextChoice::of(index, whole.text)
                });
                let usage = Some(Some(usage));
                Body::Text(TextCompletion { usage, x_assay, ..self.text_event(choices.collect()) })
            }
        }
    }

    /// What comes before any text: who speaks, in each choice.
    pub fn begin(&self) -> Vec<Chunk> {
        match self.form {
            Form::Chat => {
                let indices = (0..).take(self.choices);
                indices.map(|index| self.chat(ChunkChoice::of(index, Delta::role()))).collect()
            }
            Form::Text => Vec::new(),
        }
    }

    /// A piece of a choice.
    pub fn piece(&self, index: u32, text: String, logprobs: Option<Logprobs>) -> Chunk {
        match self.form {
            Form::Chat => {
                let logprobs = logprobs.and_then(Logprobs::chat);
                let piece = ChunkChoice::of(index, Delta::content(text));
                self.chat(ChunkChoice { logprobs, ..piece })
            }
            Form::Text => {
                let logprobs = logprobs.and_then(Logprobs::text);
                let piece = TextChoice { logprobs, ..TextChoice::of(index, text) };
                Chunk::Text(self.text_event(vec![piece]))
            }
        }
    }

    /// A piece of a call in a choice; only chats have calls.
    pub fn call(&self, index: u32, piece: CallDelta) -> Chunk {
        self.chat(ChunkChoice::of(index, Delta::call(piece)))
    }

    /// The last of a choice. The verdict of an only choice goes into the very last chunk.
    pub fn finish(&self, index: u32, finish_reason: &'static str, verdict: &Value) -> Chunk {
        let finish_reason = Some(finish_reason);
        let x_assay = (self.choices > 1).then(|| verdict.clone());
        let mut chunk = match self.form {
            Form::Chat => {
                let end = ChunkChoice::of(index, Delta::default());
                self.chat(ChunkChoice { finish_reason, x_assay, ..end })
            }
            Form::Text => {
                let end = TextChoice::of(index, String::new());
                let end = TextChoice { finish_reason, x_assay, ..end };
                Chunk::Text(self.text_event(vec![end]))
            }
        };
        if self.choices == 1 && !self.include_usage {
            chunk.set_verdict(verdict.clone());
        }
        chunk
    }

    /// The usage of all choices, for whoever asked for it; with the verdict of an only choice.
    pub fn usage(&self, usage: Usage, verdict: Option<Value>) -> Option<Chunk> {
        if !self.include_usage {
            return None;
        }
        let usage = Some(Some(usage));
        let mut chunk = match self.form {
            Form::Chat => Chunk::Chat(ChatChunk { usage, ..self.chat_event(Vec::new()) }),
            Form::Text => Chunk::Text(TextCompletion { usage, ..self.text_event(Vec::new()) }),
        };
        if let Some(verdict) = verdict.filter(|_| self.choices == 1) {
            chunk.set_verdict(verdict);
        }
        Some(chunk)
    }

    fn chat(&self, choice: ChunkChoice) -> Chunk {
        Chunk::Chat(self.chat_event(vec![choice]))
    }

    fn chat_event(&self, choices: Vec<ChunkChoice>) -> ChatChunk {
        ChatChunk {
            id: self.id.clone(),
            object: "chat.completion.chunk",
            created: self.created,
            model: self.model.clone(),
            system_fingerprint: self.system_fingerprint.clone(),
            choices,
            usage: self.include_usage.then_some(None),
            x_assay: None,
        }
    }

    fn text_event(&self, choices: Vec<TextChoice>) -> TextCompletion {
        TextCompletion {
            id: self.id.clone(),
            object: "text_completion",
            created: self.created,
            model: self.model.clone(),
            system_fingerprint: self.system_fingerprint.clone(),
            choices,
            usage: self.include_usage.then_some(None),
            x_assay: None,
        }
    }
}

impl Chunk {
    fn set_verdict(&mut self, verdict: Value) {
        match self {
            Self::Chat(chunk) => chunk.x_assay = Some(verdict),
            Self::Text(chunk) => chunk.x_assay = Some(verdict),
            Self::Response(_) => {}
        }
    }

    /// The choice that this is a piece of text of, and nothing else.
    pub fn piece_of(&self) -> Option<u32> {
        match self {
            Self::Chat(ChatChunk { choices, .. }) => {
                let [choice] = &choices[..] else { return None };
                let ChunkChoice { index, delta, finish_reason, .. } = choice;
                let is_piece =
                    finish_reason.is_none() && delta.role.is_none() && delta.content.is_some();
                is_piece.then_some(*index)
            }
            Self::Text(TextCompletion { choices, .. }) => {
                let [choice] = &choices[..] else { return None };
                choice.finish_reason.is_none().then_some(choice.index)
            }
            // Its events are numbered, so they stay as they are.
            Self::Response(_) => None,
        }
    }

    /// Adds the text of a later piece of the same choice.
    pub fn append(&mut self, later: Self) {
        match (self, later) {
            (Self::Chat(to), Self::Chat(from)) => {
                for (to, from) in to.choices.iter_mut().zip(from.choices) {
                    let text = from.delta.content.unwrap_or_default();
                    to.delta.content.get_or_insert_default().push_str(&text);
                    if let Some(more) = from.logprobs {
                        to.logprobs.get_or_insert_default().content.extend(more.content);
                    }
                }
            }
            (Self::Text(to), Self::Text(from)) => {
                for (to, from) in to.choices.iter_mut().zip(from.choices) {
                    to.text.push_str(&from.text);
                    if let Some(more) = from.logprobs {
                        to.logprobs.get_or_insert_default().append(more);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
