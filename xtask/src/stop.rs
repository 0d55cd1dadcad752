//! Ctrl-C, SIGTERM and a closed terminal, as something that every wait here listens to.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// Whether someone asked to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    told: Mutex<bool>,
    news: Condvar,
}

/// The error of whatever was going on when someone asked to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped;

impl Stop {
    /// Listens for signals from now on.
    pub(crate) fn on_signals() -> anyhow::Result<Self> {
        let stop = Self::default();
        let mut signals =
            Signals::new([SIGHUP, SIGINT, SIGTERM]).context("signals cannot be received here")?;
        let teller = stop.clone();
        thread::spawn(move || signals.forever().for_each(|_| teller.tell()));
        Ok(stop)
    }

    /// Asks to stop.
    pub(crate) fn tell(&self) {
        *self.0.told.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.news.notify_all();
    }

    /// Waits as long as that.
    ///
    /// # Errors
    /// `Stopped`, at once when someone asks to stop.
    pub(crate) fn pause(&self, pause: Duration) -> Result<(), Stopped> {
        let until = Instant::now() + pause;
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if *told {
                return Err(Stopped);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            told = match self.0.news.wait_timeout(told, left) {
                Ok((told, _)) => told,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_at_once_when_someone_asks_to_stop() {
        let stop = Stop::default();
        assert!(stop.pause(Duration::from_millis(1)).is_ok());
        let teller = stop.clone();
        let told = thread::spawn(move || teller.tell());
        assert!(stop.pause(Duration::from_secs(3_600)).is_err());
        told.join().unwrap();
        assert!(stop.pause(Duration::ZERO).is_err(), "it stays told");
    }
}
