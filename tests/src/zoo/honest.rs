//! Says what the model says.

use super::Kind;

#[derive(Debug)]
pub(super) struct Honest;

impl Kind for Honest {
    fn name(&self) -> &'static str {
        "honest"
    }

    fn about(&self) -> &'static str {
        "says what the model says"
    }
}
