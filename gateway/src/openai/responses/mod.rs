//! `POST /v1/responses`: OpenAI's newer dialect of a chat, with items instead of messages and typed events. Nothing is stored.

mod object;
mod request;
mod writer;

use object::OutputItem;
pub use object::{Asked, ResponseObject, ResponseUsage};
pub use request::{ResponseAsk, ResponseBody, ResponseRequest};
pub use writer::{ResponseEvent, ResponseWriter};
