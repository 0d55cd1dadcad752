//! The models that this gateway serves: manifest, tokenizer and chat template of each, and its price.

use std::{collections::BTreeMap, sync::Arc};

use assay_ledger::{Nano, Price};
use assay_model::{ModelError, TextModel};
use tokio::sync::{Mutex, MutexGuard};

use crate::config::ModelSettings;

/// A model that can be asked for.
#[derive(Debug)]
pub struct HostedModel {
    pub text: TextModel,
    pub price: Price,
    turn: Mutex<()>,
}

impl HostedModel {
    /// The public name.
    pub fn id(&self) -> &str {
        &self.text.manifest.id
    }

    /// Waits for the right to ask nodes for this model; first come, first served.
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
            let hosted = HostedModel { text, price: price_of(model), turn: Mutex::default() };
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

fn price_of(model: &ModelSettings) -> Price {
    Price {
        input: Nano(model.price_input_nano_usd_per_mtok),
        output: Nano(model.price_output_nano_usd_per_mtok),
    }
}
