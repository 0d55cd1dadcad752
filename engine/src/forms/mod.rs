//! The shapes that graphs of language models come in. An engine asks a graph for the logits after some
//! tokens, and does not know which shape answers.
//!
//! What both have in common is here: `input_ids`, `attention_mask` and `past_key_values.N.{key,value}` go in,
//! `logits` and `present.N.{key,value}` come out. They differ in what a cache and its mask look like.

mod cache;
mod form_a;
mod form_b;
mod operators;

use std::{fmt, path::Path, str::FromStr};

use assay_model::Manifest;
use assay_protocol::TokenId;
use ort::{
    session::Session,
    value::{DynValue, Tensor, TensorElementType, ValueType},
};

pub(crate) use cache::Cache;
pub(crate) use operators::check_verifiable;

use crate::EngineError;

/// The shape of a graph, by the letter that manifests use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As Optimum and onnx-community export it: standard operators, `position_ids`.
    A,
    /// As onnxruntime-genai exports it: GroupQueryAttention, no `position_ids`.
    B,
}

/// A graph of a known form.
#[derive(Debug)]
pub(crate) struct Graph {
    session: Session,
    form: Form,
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

/// The logits of one run, `[rows, width, vocabulary]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logits<'a> {
    values: &'a [f32],
    width: usize,
    vocabulary: usize,
}

impl Graph {
    /// Reads the form off the graph's inputs: only form A takes `position_ids`.
    pub(crate) fn of(
        session: Session,
        path: &Path,
        manifest: &Manifest,
    ) -> Result<Self, EngineError> {
        let has_positions = session.inputs().iter().any(|input| input.name() == "position_ids");
        let form = if has_positions { Form::A } else { Form::B };
        let layers = layers(&session, manifest)
            .map_err(|problem| EngineError::Graph { path: path.to_path_buf(), problem })?;
        Ok(Self {
            session,
            form,
            layers,
            kv_heads: manifest.kv_heads as usize,
            // The graphs of form B leave it open.
            head_dim: manifest.head_dim as usize,
            vocabulary: manifest.vocab_size as usize,
        })
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// A cache for so many rows, with nothing in it.
    pub(crate) fn empty_cache(&self, rows: usize) -> Result<Cache, EngineError> {
        Cache::empty(rows, self.layers.len(), [self.kv_heads, self.head_dim])
    }

    /// Feeds each row more tokens and hands over their logits.
    ///
    /// Rows of different lengths can be fed to an empty cache only. Later a row has one token, or none when it
    /// has ended and only waits for the others. A single row is free to do as it likes.
    ///
    /// After an error the cache is spent: start from an empty one.
    pub(crate) fn feed<T>(
        &mut self,
        cache: &mut Cache,
        rows: &[&[TokenId]],
        read: impl FnOnce(Logits<'_>) -> T,
    ) -> Result<T, EngineError> {
        let width = rows.iter().map(|row| row.len()).max().unwrap_or_default();
        assert_eq!(rows.len(), cache.rows(), "one row of ids for each of the cache");
        assert!(cache.is_empty() || width == 1 || rows.len() == 1, "rows are fed in step");

        let mut inputs = vec![("input_ids", table(rows.len(), width, padded(rows, width))?)];
        match self.form {
            Form::A => inputs.extend(form_a::inputs(cache, rows, width)?),
            Form::B => inputs.extend(form_b::inputs(cache, rows)?),
        }
        let past = self.layers.iter().map(|layer| layer.past.as_str());
        inputs.extend(past.zip(cache.take_values()));

        let mut outputs = self.session.run(inputs)?;
        let presents = self.layers.iter().map(|layer| {
            let present = outputs.remove(&layer.present);
            present
                .ok_or_else(|| EngineError::Runtime(format!("the run gave no `{}`", layer.present)))
        });
        cache.grow(rows, presents.collect::<Result<_, _>>()?);
        let (shape, values) = outputs["logits"].try_extract_tensor::<f32>()?;
        if values.len() != rows.len() * width * self.vocabulary {
            return Err(EngineError::Runtime(format!(
                "logits of shape {shape:?} for {} rows of {width} tokens of a vocabulary of {}",
                rows.len(),
                self.vocabulary
            )));
        }
        Ok(read(Logits { values, width, vocabulary: self.vocabulary }))
    }
}

impl<'a> Logits<'a> {
    /// What follows this token of this row.
    pub(crate) fn after(&self, row: usize, token: usize) -> &'a [f32] {
        assert!(token < self.width, "token {token} of {}", self.width);
        let from = (row * self.width + token) * self.vocabulary;
        &self.values[from..from + self.vocabulary]
    }
}

/// Finds the caches among the inputs, each with its output, and refuses what neither form has.
fn layers(session: &Session, manifest: &Manifest) -> Result<Vec<Layer>, String> {
    let mut layers = Vec::new();
    for input in session.inputs() {
        let name = input.name();
        match name.strip_prefix("past_key_values.") {
            Some(rest) => {
                check_f32(name, input.dtype())?;
                layers.push(Layer { past: name.into(), present: format!("present.{rest}") });
            }
            None if ["input_ids", "attention_mask", "position_ids"].contains(&name) => {}
            None => return Err(format!("input `{name}` is of no known form")),
        }
    }
    for output in layers.iter().map(|layer| layer.present.as_str()).chain(["logits"]) {
        let found = session.outputs().iter().find(|found| found.name() == output);
        check_f32(output, found.ok_or_else(|| format!("output `{output}` is missing"))?.dtype())?;
    }
    if layers.len() != 2 * manifest.layers as usize {
        return Err(format!("{} caches for {} layers", layers.len(), manifest.layers));
    }
    Ok(layers)
}

fn check_f32(name: &str, found: &ValueType) -> Result<(), String> {
    match found {
        ValueType::Tensor { ty: TensorElementType::Float32, .. } => Ok(()),
        other => Err(format!("`{name}` is {other}; only 32-bit floats are served yet")),
    }
}

/// Rows of ids on the left, filler on the right.
fn padded(rows: &[&[TokenId]], width: usize) -> impl Iterator<Item = i64> {
    let filled = |row: &[TokenId]| -> Vec<i64> {
        let ids = row.iter().map(|id| i64::from(*id));
        ids.chain(std::iter::repeat(0)).take(width).collect()
    };
    rows.iter().flat_map(move |row| filled(row)).collect::<Vec<_>>().into_iter()
}

/// A tensor `[rows, width]`.
fn table(
    rows: usize,
    width: usize,
    values: impl Iterator<Item = i64>,
) -> Result<DynValue, EngineError> {
    Ok(Tensor::from_array(([rows, width], values.collect::<Vec<_>>()))?.into_dyn())
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
        })
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(letter: &str) -> Result<Self, Self::Err> {
        match letter {
            "a" => Ok(Self::A),
            "b" => Ok(Self::B),
            other => Err(format!("`{other}` is no form of graph; there are `a` and `b`")),
        }
    }
}
