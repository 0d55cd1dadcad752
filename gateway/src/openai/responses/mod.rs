//! `POST /v1/responses`: OpenAI's newer dialect of a chat, with items instead of messages and typed events. Nothing is stored.

mod object;
mod request;
mod writer;

pub use object::{Asked, OutputItem, ResponseObject, ResponseUsage};
pub use request::{ResponseAsk, ResponseRequest};
pub use writer::{ResponseEvent, ResponseWriter};
