//! How fast a scripted node sends: a story that needs a certain moment holds the tokens back itself.

use std::{sync::Arc, time::Duration};

use assay_protocol::limits::CHUNK_TOKENS_MAX;
use tokio::{sync::Semaphore, time::sleep};

/// More tokens than any story has.
const ALL: usize = 1 << 20;

/// When tokens go out.
#[derive(Clone, Debug)]
pub enum Pace {
    /// At once, in full chunks.
    Free,
    /// One at a time, this far apart.
    Each(Duration),
    /// When the story allows them.
    Gate(Gate),
}

/// Holds tokens back until they are allowed. Clones are the same gate; one gate may hold several nodes,
/// which then share what is allowed.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// Nothing passes yet.
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets this many more tokens pass.
    pub fn allow(&self, tokens: usize) {
        self.0.add_permits(tokens);
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        self.0.add_permits(ALL);
    }
}

impl From<&Gate> for Pace {
    fn from(gate: &Gate) -> Self {
        Self::Gate(gate.clone())
    }
}

impl Pace {
    /// Waits until at least one token may go out, and says how many may, `wanted` at most.
    pub(super) async fn pass(&self, wanted: usize) -> usize {
        let wanted = wanted.min(CHUNK_TOKENS_MAX);
        match self {
            Self::Free => wanted,
            Self::Each(wait) => {
                sleep(*wait).await;
                1
            }
            Self::Gate(Gate(allowed)) => {
                allowed.acquire().await.expect("a gate is never torn down").forget();
                // Whoever else passes here may be faster; fewer is fine.
                let more = allowed.available_permits().min(wanted - 1);
                let more = u32::try_from(more).expect("a chunk is small");
                match allowed.try_acquire_many(more) {
                    Ok(taken) => {
                        taken.forget();
                        1 + more as usize
                    }
                    Err(_) => 1,
                }
            }
        }
    }
}
