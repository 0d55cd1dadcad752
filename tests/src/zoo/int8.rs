//! Runs the model's weights in 8 bits.

use super::Kind;

#[derive(Debug)]
pub(super) struct Int8;

impl Kind for Int8 {
    fn name(&self) -> &'static str {
        "int8"
    }

    fn about(&self) -> &'static str {
        "runs the weights in 8 bits"
    }

    fn weights(&self) -> Option<&'static str> {
        Some("int8")
    }
}
