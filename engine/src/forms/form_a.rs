//! Form A, as Optimum and onnx-community export it: `input_ids`, `attention_mask`, `position_ids` and
//! `past_key_values.N.{key,value}` go in, `logits` and `present.N.{key,value}` come out. Standard
//! operators only; the cache grows by concatenation.

use assay_model::Manifest;
use assay_protocol::TokenId;
use ort::{
    session::Session,
    value::{DynValue, Tensor, TensorElementType, ValueType},
};

use crate::EngineError;

#[derive(Debug)]
pub(crate) struct FormA {
    session: Session,
    layers: Vec<Layer>,
    kv_heads: usize,
    head_dim: usize,
    vocabulary: usize,
}

/// One half (keys or values) of one layer: the names that it goes in and comes out by.
#[derive(Debug)]
struct Layer {
    past: String,
    present: String,
}

#[derive(Debug)]
pub(crate) struct Cache {
    values: Vec<DynValue>,
    len: usize,
}

impl FormA {
    pub(crate) fn of(session: Session, manifest: &Manifest) -> Result<Self, String> {
        let mut layers = Vec::new();
        for input in session.inputs() {
            let name = input.name();
            match name.strip_prefix("past_key_values.") {
                Some(rest) => {
                    check_f32(name, input.dtype())?;
                    layers.push(Layer { past: name.into(), present: format!("present.{rest}") });
                }
                None if ["input_ids", "attention_mask", "position_ids"].contains(&name) => {}
                None => return Err(format!("input `{name}` is not of form A")),
            }
        }
        for output in layers.iter().map(|layer| layer.present.as_str()).chain(["logits"]) {
            let found = session.outputs().iter().find(|found| found.name() == output);
            check_f32(
                output,
                found.ok_or_else(|| format!("output `{output}` is missing"))?.dtype(),
            )?;
        }
        if layers.len() != 2 * manifest.layers as usize {
            return Err(format!("{} caches for {} layers", layers.len(), manifest.layers));
        }
        Ok(Self {
            session,
            layers,
            kv_heads: manifest.kv_heads as usize,
            head_dim: manifest.head_dim as usize,
            vocabulary: manifest.vocab_size as usize,
        })
    }

    pub(crate) fn empty_cache(&self) -> Result<Cache, EngineError> {
        let shape = [1, self.kv_heads, 0, self.head_dim];
        let values = self
            .layers
            .iter()
            .map(|_| Ok(Tensor::<f32>::from_array((shape, Vec::new()))?.into_dyn()))
            .collect::<Result<_, EngineError>>()?;
        Ok(Cache { values, len: 0 })
    }

    /// After an error the cache is spent: start from an empty one.
    pub(crate) fn feed<T>(
        &mut self,
        cache: &mut Cache,
        ids: &[TokenId],
        read: impl FnOnce(&[f32]) -> T,
    ) -> Result<T, EngineError> {
        let (from, to) = (cache.len, cache.len + ids.len());
        let row = |values: Vec<i64>| -> Result<DynValue, EngineError> {
            Ok(Tensor::from_array(([1, values.len()], values))?.into_dyn())
        };
        let mut inputs = vec![
            ("input_ids", row(ids.iter().map(|id| i64::from(*id)).collect())?),
            ("attention_mask", row(vec![1; to])?),
            ("position_ids", row((from as i64..to as i64).collect())?),
        ];
        let past = self.layers.iter().map(|layer| layer.past.as_str());
        inputs.extend(past.zip(cache.values.drain(..)));

        let mut outputs = self.session.run(inputs)?;
        for layer in &self.layers {
            let present = outputs.remove(&layer.present).ok_or_else(|| {
                EngineError::Runtime(format!("the run gave no `{}`", layer.present))
            })?;
            cache.values.push(present);
        }
        cache.len = to;
        let (shape, logits) = outputs["logits"].try_extract_tensor::<f32>()?;
        if logits.len() != ids.len() * self.vocabulary {
            return Err(EngineError::Runtime(format!(
                "logits of shape {shape:?} for {} tokens of a vocabulary of {}",
                ids.len(),
                self.vocabulary
            )));
        }
        Ok(read(logits))
    }
}

fn check_f32(name: &str, found: &ValueType) -> Result<(), String> {
    match found {
        ValueType::Tensor { ty: TensorElementType::Float32, .. } => Ok(()),
        other => Err(format!("`{name}` is {other}; only 32-bit floats are served yet")),
    }
}
