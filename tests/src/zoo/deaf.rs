//! Writes on whatever the gateway says: hears no finish and no cancel.

use super::Kind;

#[derive(Debug)]
pub(super) struct Deaf;

impl Kind for Deaf {
    fn name(&self) -> &'static str {
        "deaf"
    }

    fn about(&self) -> &'static str {
        "hears no finish and no cancel"
    }

    fn is_deaf(&self) -> bool {
        true
    }
}
