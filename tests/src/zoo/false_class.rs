//! Runs 16-bit weights and says that it is a graphics card, where limits may be wider.

use assay_protocol::ServedModel;

use super::Kind;

#[derive(Debug)]
pub(super) struct FalseClass;

impl Kind for FalseClass {
    fn name(&self) -> &'static str {
        "false-class"
    }

    fn about(&self) -> &'static str {
        "runs 16-bit weights and claims a class with wider limits"
    }

    fn claims(&self, served: ServedModel) -> ServedModel {
        ServedModel { execution_provider: "cuda".into(), precision: "bf16".into(), ..served }
    }

    fn weights(&self) -> Option<&'static str> {
        Some("fp16")
    }
}
