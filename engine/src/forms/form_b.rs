//! Form B: GroupQueryAttention reads each row's length off the mask, keeps its cache without holes, and
//! counts positions itself. A mask with padding on the left would be misread without a word, so ours is
//! always ones, then zeros.

use std::iter::repeat_n;

use assay_protocol::TokenId;
use ort::value::DynValue;

use super::{Cache, table};
use crate::EngineError;

/// The mask. Its width is the longest row's length: the runtime makes the cache as long, and no place beyond
/// the model's context is ever asked for. A row that is fed nothing writes its last place again, which nobody
/// reads any more.
pub(super) fn inputs(
    cache: &Cache,
    rows: &[&[TokenId]],
) -> Result<[(&'static str, DynValue); 1], EngineError> {
    let lens: Vec<usize> = cache.lens.iter().zip(rows).map(|(len, row)| len + row.len()).collect();
    let longest = lens.iter().copied().max().unwrap_or_default();
    let mask = lens.iter().flat_map(|len| repeat_n(1, *len).chain(repeat_n(0, longest - len)));
    Ok([("attention_mask", table(rows.len(), longest, mask)?)])
}
