//! The HTTP edge: extractors that are permissions, short handlers, and the only code that knows
//! status codes.

pub mod admin;
pub mod chat_completions;
pub mod client_key;
pub mod completions;
pub mod connect;
pub mod console;
pub mod credits;
pub mod embeddings;
pub mod enrol;
pub mod error;
pub mod extract;
pub mod health;
mod inference;
pub mod late_audit;
pub mod log;
pub mod models;
pub mod observe;
pub mod operator;
pub mod payments;
mod peer;
pub mod rate_limit;
pub mod receipts;
pub mod requests;
pub mod responses;
pub mod verification;

pub use client_key::{ClientKey, CreditsRead, CreditsWrite, Inference};
pub use error::ApiError;
pub use extract::{Admin, Assurance, BoundBody, IdempotencyKey, JsonBody};
pub use peer::client;
