//! Runs a smaller model of the same family.

use super::Kind;

#[derive(Debug)]
pub(super) struct Smaller;

impl Kind for Smaller {
    fn name(&self) -> &'static str {
        "smaller"
    }

    fn about(&self) -> &'static str {
        "runs a smaller model"
    }

    fn weights(&self) -> Option<&'static str> {
        Some("smaller")
    }
}
