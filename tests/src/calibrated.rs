//! The demo model with other limits: as if it had been calibrated elsewhere.

use std::{fs, os::unix::fs::symlink, path::Path};

use assay_verifier::{ClassLimits, Limits, Measured, limits};

use crate::{Model, binaries::demo_model, money::PRICE};

/// The limits of the class that the demo model was measured in.
pub fn shipped_class() -> ClassLimits {
    let text = fs::read(demo_model().join("limits.json")).expect("the shipped limits");
    let mut limits = Limits::parse(&text).expect("limits");
    limits.classes.remove("cpu-fp32").expect("the processors' class")
}

/// Limits that nobody measured.
pub fn class(tau_gap: f64, tau_logit: f64) -> ClassLimits {
    let shipped = shipped_class();
    ClassLimits { tau_gap, tau_logit, measured: Measured::default(), ..shipped }
}

/// Makes `folder` the demo model with these limits; gives a gateway's settings for it.
pub fn calibrated(
    folder: &Path,
    classes: impl IntoIterator<Item = (&'static str, ClassLimits)>,
) -> String {
    for file in fs::read_dir(demo_model()).expect("the model's folder") {
        let file = file.expect("a file of it");
        if file.file_name() != "limits.json" {
            symlink(file.path(), folder.join(file.file_name())).expect("a link to it");
        }
    }
    let limits = Limits {
        format: limits::FORMAT.into(),
        manifest_hash: Model::demo().served(1).manifest_hash,
        classes: classes.into_iter().map(|(class, limits)| (class.to_owned(), limits)).collect(),
    };
    let json = serde_json::to_vec(&limits).expect("limits are JSON");
    fs::write(folder.join("limits.json"), json).expect("the limits are written");
    format!(
        "[[models]]\ndir = '{}'\nprice_input_nano_usd_per_mtok = {}\nprice_output_nano_usd_per_mtok = {}",
        folder.display(),
        PRICE.input,
        PRICE.output,
    )
}
