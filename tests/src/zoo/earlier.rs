//! Runs a checkpoint from before the training was over.

use super::Kind;

#[derive(Debug)]
pub(super) struct Earlier;

impl Kind for Earlier {
    fn name(&self) -> &'static str {
        "earlier"
    }

    fn about(&self) -> &'static str {
        "runs an earlier checkpoint of the model"
    }

    fn weights(&self) -> Option<&'static str> {
        Some("earlier")
    }
}
