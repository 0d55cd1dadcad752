//! The harness of the end-to-end tests: the real programs as processes, nodes that cheat, and clients.
//!
//! A story starts a [`World`] (one gateway on SQLite in a folder of its own), lets nodes join, asks as a
//! client would, and ends with [`World::finish`], which stops the gateway and audits its ledger.

pub mod admin;
pub mod agent;
pub mod bench;
pub mod binaries;
pub mod calibrated;
pub mod chat;
pub mod credits;
pub mod embedding;
pub mod gateway;
pub mod ledger;
pub mod log;
pub mod model;
pub mod money;
pub mod operators;
pub mod postgres;
pub mod process;
pub mod records;
pub mod schemas;
pub mod scripted;
pub mod stripe;
pub mod wait;
pub mod world;
pub mod zoo;
pub mod zoo_models;

pub use admin::{Admin, JobView, Operator, PartView};
pub use agent::NodeAgent;
pub use chat::{Ask, ChatClient, Completion, Refusal, Streamed};
pub use credits::Credits;
pub use gateway::Gateway;
pub use model::Model;
pub use operators::OperatorClient;
pub use scripted::{Gate, Pace, ScriptedNode};
pub use stripe::FakeStripe;
pub use wait::{wait_until, within};
pub use world::World;
pub use zoo::Behaviour;
pub use zoo_models::{ZooModel, zoo_models};
