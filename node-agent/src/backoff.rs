//! How long to wait before the next try to connect.

use std::time::Duration;

use assay_protocol::limits::{RECONNECT_MS_MAX, RECONNECT_MS_MIN};

/// Doubles from one second to thirty; each wait is drawn between half of that and all of it, so that
/// the nodes of a gateway that restarts do not all come back at once.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait; `draw` is uniform in 0..1.
    pub fn next(&mut self, draw: f64) -> Duration {
        let full_ms = (RECONNECT_MS_MIN << self.tries.min(16)).min(RECONNECT_MS_MAX);
        self.tries = self.tries.saturating_add(1);
        let half = Duration::from_millis(full_ms) / 2;
        (half + half.mul_f64(draw.clamp(0.0, 1.0))).max(Duration::from_millis(RECONNECT_MS_MIN))
    }

    /// Starts over, after a session that held.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_thirty_seconds_and_start_over_after_a_good_session() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..7).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.next(0.0).as_millis(), 15_000, "jitter halves at most");
        backoff.reset();
        assert_eq!(backoff.next(0.0).as_millis(), 1_000, "never under the minimum");
    }
}
