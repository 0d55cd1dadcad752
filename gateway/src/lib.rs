//! The gateway: takes requests in OpenAI's dialect, has several strangers' nodes answer them, checks
//! the answers and settles the money.
//!
//! `api → serving → {scheduler, nodes, verification, payments} → db`. Nothing imports `api` but `router`.

pub mod api;
pub mod app;
pub mod audit;
pub mod auth;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
mod document;
pub mod kept_answers;
pub mod nodes;
pub mod openai;
pub mod ownership;
pub mod payments;
pub mod reasons;
pub mod receipts;
pub mod router;
pub mod scheduler;
pub mod sealer;
pub mod self_audit;
pub mod server;
pub mod serving;
pub mod telemetry;
pub mod verification;

pub use app::App;
pub use config::Config;
