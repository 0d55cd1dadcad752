//! The demo model on the real runtime.

mod answers;
mod batches;
mod forms;
mod support;
