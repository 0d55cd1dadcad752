//! How far off a measured rate can be: exact bounds after Clopper and Pearson (1934), from quantiles of the Beta
//! distribution.

use serde::Serialize;

use crate::beta;

/// A rate lies between these, with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    pub low: f64,
    pub high: f64,
}

/// The chance that the bounds miss the rate, at each side.
const MISS_PER_SIDE: f64 = 0.025;

/// The 95 % bounds of a rate of which `hits` were seen in `trials`. More hits than trials count as all.
#[expect(clippy::cast_precision_loss, reason = "counts of trials are far below 2^53")]
pub fn bounds_95(hits: u64, trials: u64) -> Bounds {
    let hits = hits.min(trials);
    let (hit, missed) = (hits as f64, (trials - hits) as f64);
    // The other end of the distribution is `1 − quantile` with the parameters swapped: closed forms stay exact.
    let low = match hits {
        0 => 0.0,
        _ => beta::quantile(MISS_PER_SIDE, hit, missed + 1.0),
    };
    let high = match trials - hits {
        0 => 1.0,
        _ => 1.0 - beta::quantile(MISS_PER_SIDE, missed, hit + 1.0),
    };
    Bounds { low, high }
}
