//! Keys and values of the tokens that were fed so far, for one or more rows that go on in step.

use assay_protocol::TokenId;
use ort::value::{DynValue, Tensor};

use crate::EngineError;

/// One tensor `[rows, heads, length, head_dim]` for each half of each layer.
#[derive(Debug)]
pub(crate) struct Cache {
    values: Vec<DynValue>,
    /// How many tokens each row holds.
    pub(super) lens: Vec<usize>,
    /// Which places of the tensors each row uses. Only form A needs it; form B keeps rows without holes.
    pub(super) used: Vec<Vec<bool>>,
}

impl Cache {
    pub(super) fn empty(
        rows: usize,
        tensors: usize,
        [heads, head_dim]: [usize; 2],
    ) -> Result<Self, EngineError> {
        let empty = || {
            let shape = [rows, heads, 0, head_dim];
            Ok(Tensor::<f32>::from_array((shape, Vec::new()))?.into_dyn())
        };
        let values = (0..tensors).map(|_| empty()).collect::<Result<_, EngineError>>()?;
        Ok(Self { values, lens: vec![0; rows], used: vec![Vec::new(); rows] })
    }

    pub(crate) fn rows(&self) -> usize {
        self.lens.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lens.iter().all(|len| *len == 0)
    }

    /// The tensors go into a run, which gives others back.
    pub(super) fn take_values(&mut self) -> Vec<DynValue> {
        std::mem::take(&mut self.values)
    }

    /// What a run left behind after it was fed these rows.
    pub(super) fn grow(&mut self, rows: &[&[TokenId]], values: Vec<DynValue>) {
        self.values = values;
        for (len, row) in self.lens.iter_mut().zip(rows) {
            *len += row.len();
        }
    }

    /// Keeps only these rows, in this order.
    pub(crate) fn keep(&mut self, rows: &[usize]) -> Result<(), EngineError> {
        for value in &mut self.values {
            let (shape, floats) = value.try_extract_tensor::<f32>()?;
            let mut shape = shape.to_vec();
            let row_len = floats.len() / self.lens.len();
            let kept: Vec<f32> =
                rows.iter().flat_map(|row| &floats[row * row_len..][..row_len]).copied().collect();
            shape[0] = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            *value = Tensor::from_array((shape, kept))?.into_dyn();
        }
        self.lens = rows.iter().map(|row| self.lens[*row]).collect();
        self.used = rows.iter().map(|row| std::mem::take(&mut self.used[*row])).collect();
        Ok(())
    }
}
