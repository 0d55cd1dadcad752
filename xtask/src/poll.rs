//! Waiting for something to become true: with a deadline, and never past a Ctrl-C.

use std::time::{Duration, Instant};

use crate::stop::Stop;

/// Looks again and again until there is something, or nothing is left of `within`: then `None`.
pub(crate) fn until<T>(
    within: Duration,
    every: Duration,
    stop: &Stop,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        stop.pause(every)?;
    }
}
