//! The strangers' machines: each connects out to us, proves who it is, and is held to the protocol.

pub mod conduct;
mod errand;
pub mod handle;
mod held;
mod login;
mod performance;
pub mod presence;
pub mod registry;
pub mod session;
pub mod settings;
mod socket;
pub mod standing;

pub(crate) use errand::Errand;
pub use handle::{JobNews, LostReason, NodeHandle, NodeNews};
pub use held::HeldJob;
pub use performance::Performance;
pub use presence::Presence;
pub use registry::{Awaiting, NodeSnapshot, Registry, ServedBy, Tested};
pub use socket::{TooManyWaiting, accept};
