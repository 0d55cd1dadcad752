//! The node agent: connects out to a gateway, runs jobs on the engine and signs what it answers.

pub mod agent;
pub mod backoff;
pub mod cli;
pub mod config;
pub mod connection;
mod embedding;
mod ended;
pub mod enrol;
pub mod hardware;
pub mod identity;
mod job;
mod offer;
mod session;
pub mod shutdown;
pub mod slots;
mod worker;

pub use agent::{Agent, AgentError};
pub use config::Config;
pub use identity::Identity;
pub use slots::Slots;
