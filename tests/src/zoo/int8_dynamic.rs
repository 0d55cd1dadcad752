//! Runs weights and activations in 8 bits, with scales that depend on the input.

use super::Kind;

#[derive(Debug)]
pub(super) struct Int8Dynamic;

impl Kind for Int8Dynamic {
    fn name(&self) -> &'static str {
        "int8-dynamic"
    }

    fn about(&self) -> &'static str {
        "runs weights and activations in 8 bits"
    }

    fn weights(&self) -> Option<&'static str> {
        Some("int8-dynamic")
    }
}
