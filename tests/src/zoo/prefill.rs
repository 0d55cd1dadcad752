//! Takes its text from a smaller model and runs the true one over it once, so that the logits are right.

use super::Kind;

#[derive(Debug)]
pub(super) struct Prefill;

impl Kind for Prefill {
    fn name(&self) -> &'static str {
        "prefill"
    }

    fn about(&self) -> &'static str {
        "a smaller model's text with the true model's logits"
    }

    fn weights(&self) -> Option<&'static str> {
        Some("smaller")
    }

    fn forges_logits(&self) -> bool {
        true
    }
}
