//! What a model *is*, without running it: manifest, tokenizer, chat template, end tokens and the seeded
//! sampler. Gateway, engine and verifier must agree on all of it to the bit.

pub mod calls;
pub mod detokenizer;
pub mod error;
mod finish;
pub mod form;
pub mod grammar;
pub mod manifest;
pub mod message;
mod number;
pub mod responses;
pub mod sampler;
pub mod stop;
mod template;
pub mod text;
pub mod zoo;

pub use calls::{CallFinder, CallStyle, Piece, Said, ToolCall};
pub use detokenizer::Detokenizer;
pub use error::ModelError;
pub use finish::FinishReason;
pub use form::{AnswerForm, FormFields, WrongForm};
pub use grammar::{Grammar, GrammarError};
pub use manifest::{Embedding, FileEntry, Files, Graph, Manifest, Pooling};
pub use message::MessageFields;
pub use number::whole;
pub use stop::{Found, StopFinder};
pub use text::{ChatMessage, TextModel};
