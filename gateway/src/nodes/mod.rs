//! The strangers' machines: each connects out to us, proves who it is, and is held to the protocol.

pub mod conduct;
pub mod handle;
mod login;
pub mod registry;
pub mod session;
mod socket;

pub use handle::{JobNews, LostReason, NodeHandle, NodeNews};
pub use registry::{NodeSnapshot, Registry, ServedBy};
pub use socket::{TooManyWaiting, accept};
