//! What can go wrong with a provider.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

/// What one call meets.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The call goes well.
    None,
    /// An answer of this status instead of what was asked; nothing is done.
    Status(u16),
    /// It is done, and the answer is lost: a 500 comes instead.
    DoneButLost,
    /// The answer takes so long.
    Slow(Duration),
    /// The call waits here before anything is done …
    Before(Gate),
    /// … or after it was done, before the answer.
    After(Gate),
}

/// A place where a call waits until a test has done what it wants.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    reached: Notify,
    open: Notify,
}

impl Gate {
    /// Waits until a call is here.
    pub async fn reached(&self) {
        self.0.reached.notified().await;
    }

    /// Lets it go on.
    pub fn open(&self) {
        self.0.open.notify_one();
    }

    pub(crate) async fn pass(&self) {
        self.0.reached.notify_one();
        self.0.open.notified().await;
    }
}
