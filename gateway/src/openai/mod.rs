//! OpenAI's dialect: tolerant in, exact out. Pure: no I/O, no clock, no status codes.
//!
//! Shapes from `openai/openai-openapi` 2.3.0; what SDKs do with them is said where it matters.

mod answer;
mod assurance;
mod chat_request;
mod chat_response;
mod chat_stream;
mod completion_request;
mod completion_response;
mod content;
mod dialect;
mod embeddings;
mod error;
mod form;
mod logprobs;
mod metadata;
mod model;
mod responses;
mod sampling;
mod tool_calls;

pub use answer::{AnswerWriter, Body, Chunk, Form, Logprobs, WholeChoice};
pub use assurance::{AssuranceAsk, NONCE_BYTES_MAX};
pub use chat_request::{ChatAsk, ChatRequest, Streaming};
pub use chat_response::{ChatCompletion, Choice, Usage};
pub use chat_stream::{ChatChunk, ChunkChoice, DONE, Delta};
pub use completion_request::{CompletionAsk, CompletionRequest, RawPrompt};
pub use completion_response::{TextChoice, TextCompletion};
pub use dialect::{Dialect, DialectWriter, End, LastEvent, VectorsWriter};
pub use embeddings::{
    EmbeddingAsk, EmbeddingList, EmbeddingRequest, EncodingFormat, WrittenVector,
};
pub use error::{ErrorBody, ErrorDetail, InvalidRequest};
pub use logprobs::{ChatLogprobs, TextLogprobs, TokenText, Told};
pub use model::{ModelList, ModelObject};
pub use responses::{
    Asked, ResponseAsk, ResponseBody, ResponseEvent, ResponseObject, ResponseRequest,
    ResponseUsage, ResponseWriter,
};
pub use tool_calls::{AnswerCall, CallDelta};
