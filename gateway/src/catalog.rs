//! The models that this gateway serves: manifest, tokenizer, chat template and calibrated limits of each, and
//! its price.

use std::{collections::BTreeMap, fs, io, path::Path, sync::Arc};

use assay_ledger::{Nano, Price};
use assay_model::{ModelError, TextModel};
use assay_protocol::Bytes32;
use assay_verifier::{ClassLimits, Limits, LimitsError, Measured, limits};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};

use crate::config::ModelSettings;

/// The class of ordinary processors.
const CPU_CLASS: &str = "cpu-fp32";

/// A model that can be asked for.
#[derive(Debug)]
pub struct HostedModel {
    pub text: TextModel,
    pub price: Price,
    /// What honest nodes of each calibrated class stay under.
    pub limits: Limits,
    /// SHA-256 of the file that they are from; none where there is no file.
    pub limits_hash: Option<Bytes32>,
    turn: Mutex<()>,
}

impl HostedModel {
    /// The public name.
    pub fn id(&self) -> &str {
        &self.text.manifest.id
    }

    /// The class whose limits leave the least room.
    pub fn narrowest_class(&self) -> Option<(&str, &ClassLimits)> {
        let narrowest =
            self.limits.classes.iter().min_by(|(_, a), (_, b)| a.tau_logit.total_cmp(&b.tau_logit));
        narrowest.map(|(class, limits)| (class.as_str(), limits))
    }

    /// Waits for the right to choose nodes for this model; first come, first served.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

/// All hosted models by name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    models: BTreeMap<String, Arc<HostedModel>>,
}

/// Why the catalog cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("model folder {dir} cannot be used")]
    Model { dir: String, source: ModelError },
    #[error("the limits in {dir} cannot be used")]
    Limits { dir: String, source: LimitsError },
    #[error("the limits in {dir} cannot be read")]
    LimitsFile { dir: String, source: io::Error },
    #[error(
        "the limits in {dir} were measured for another version of the model; calibrate it again"
    )]
    LimitsOfAnother { dir: String },
    #[error("two model folders hold `{id}`")]
    Twice { id: String },
}

impl Catalog {
    /// Loads each folder's text side (no weights).
    pub fn load(settings: &[ModelSettings]) -> Result<Self, CatalogError> {
        let mut models = BTreeMap::new();
        for model in settings {
            let text = TextModel::load(&model.dir).map_err(|source| CatalogError::Model {
                dir: model.dir.display().to_string(),
                source,
            })?;
            let id = text.manifest.id.clone();
            let (limits, limits_hash) = limits_of(&model.dir, &text)?;
            let (price, turn) = (price_of(model), Mutex::default());
            let hosted = HostedModel { text, price, limits, limits_hash, turn };
            if models.insert(id.clone(), Arc::new(hosted)).is_some() {
                return Err(CatalogError::Twice { id });
            }
        }
        Ok(Self { models })
    }

    /// The model of this name.
    pub fn get(&self, id: &str) -> Option<&Arc<HostedModel>> {
        self.models.get(id)
    }

    /// All models, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<HostedModel>> {
        self.models.values()
    }

    /// How many models there are.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// True when there is nothing to serve.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

/// Reads `limits.json` beside the manifest. Without one, what was measured on CPUs in fp32 is taken: no other
/// class is served.
fn limits_of(dir: &Path, text: &TextModel) -> Result<(Limits, Option<Bytes32>), CatalogError> {
    let shown = || dir.display().to_string();
    let bytes = match fs::read(dir.join("limits.json")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Vectors have one margin, whoever makes them.
            if text.manifest.embedding.is_none() {
                tracing::warn!(
                    model = text.manifest.id,
                    "the model is not calibrated: the built-in limits for {CPU_CLASS} are used"
                );
            }
            let class = ClassLimits::from_measured("built in".into(), Measured::default());
            let built_in = Limits {
                format: limits::FORMAT.into(),
                manifest_hash: text.manifest_hash,
                classes: [(CPU_CLASS.to_owned(), class)].into(),
            };
            return Ok((built_in, None));
        }
        Err(source) => return Err(CatalogError::LimitsFile { dir: shown(), source }),
    };
    let limits =
        Limits::parse(&bytes).map_err(|source| CatalogError::Limits { dir: shown(), source })?;
    if limits.manifest_hash != text.manifest_hash {
        return Err(CatalogError::LimitsOfAnother { dir: shown() });
    }
    Ok((limits, Some(Bytes32(Sha256::digest(&bytes).into()))))
}

fn price_of(model: &ModelSettings) -> Price {
    Price {
        input: Nano(model.price_input_nano_usd_per_mtok),
        output: Nano(model.price_output_nano_usd_per_mtok),
    }
}
