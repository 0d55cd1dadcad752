//! Runs the model's weights in 16 bits.

use super::Kind;

#[derive(Debug)]
pub(super) struct Fp16;

impl Kind for Fp16 {
    fn name(&self) -> &'static str {
        "fp16"
    }

    fn about(&self) -> &'static str {
        "runs the weights in 16 bits"
    }

    fn weights(&self) -> Option<&'static str> {
        Some("fp16")
    }
}
