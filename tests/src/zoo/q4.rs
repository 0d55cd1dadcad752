//! Runs the model's weights in 4 bits.

use super::Kind;

#[derive(Debug)]
pub(super) struct Q4;

impl Kind for Q4 {
    fn name(&self) -> &'static str {
        "q4"
    }

    fn about(&self) -> &'static str {
        "runs the weights in 4 bits"
    }

    fn weights(&self) -> Option<&'static str> {
        Some("q4")
    }
}
