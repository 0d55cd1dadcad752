//! Honest, one token at a time, with a pause before each.

use std::time::Duration;

use super::Kind;
use crate::Pace;

/// Between two tokens: a fortieth of the speed of the others.
const PAUSE: Duration = Duration::from_millis(40);

#[derive(Debug)]
pub(super) struct Slow;

impl Kind for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn about(&self) -> &'static str {
        "honest, one token at a time"
    }

    fn pace(&self) -> Pace {
        Pace::Each(PAUSE)
    }
}
