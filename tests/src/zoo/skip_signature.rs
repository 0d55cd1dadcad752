//! Sends no signature before the last one.

use super::Kind;

#[derive(Debug)]
pub(super) struct SkipSignature;

impl Kind for SkipSignature {
    fn name(&self) -> &'static str {
        "skip-signature"
    }

    fn about(&self) -> &'static str {
        "sends no signature before the last one"
    }

    fn skips_signatures(&self) -> bool {
        true
    }
}
