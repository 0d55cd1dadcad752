//! Form A: `position_ids` say where a token stands. Standard operators only; the cache grows by
//! concatenation, so a row that is shorter than the others leaves places that its mask covers for good.

use std::iter::repeat_n;

use assay_protocol::TokenId;
use ort::value::DynValue;

use super::{Cache, table};
use crate::EngineError;

/// Mask and positions. Padding is on the right, so that a row's tokens stand where they would alone.
pub(super) fn inputs(
    cache: &mut Cache,
    rows: &[&[TokenId]],
    width: usize,
) -> Result<[(&'static str, DynValue); 2], EngineError> {
    let mut positions = Vec::with_capacity(rows.len() * width);
    for ((row, len), used) in rows.iter().zip(&cache.lens).zip(&mut cache.used) {
        let padding = width - row.len();
        used.extend(repeat_n(true, row.len()).chain(repeat_n(false, padding)));
        positions.extend((*len as i64..).take(row.len()).chain(repeat_n(0, padding)));
    }
    let places = cache.used.first().map_or(0, Vec::len);
    let mask = cache.used.iter().flatten().map(|used| i64::from(*used));
    Ok([
        ("attention_mask", table(rows.len(), places, mask)?),
        ("position_ids", table(rows.len(), width, positions.into_iter())?),
    ])
}
