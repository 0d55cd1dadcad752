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

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near(found: Bounds, low: f64, high: f64) -> bool {
        (found.low / low - 1.0).abs() < 1e-3 && (found.high / high - 1.0).abs() < 1e-3
    }

    #[test]
    fn published_values_come_out() {
        let none_of_ten = bounds_95(0, 10);
        assert_eq!(none_of_ten.low, 0.0);
        assert!((none_of_ten.high - 0.3085).abs() < 1e-4);
        let all_of_300 = bounds_95(300, 300);
        assert_eq!(all_of_300.high, 1.0);
        assert!((all_of_300.low - 0.025f64.powf(1.0 / 300.0)).abs() < 1e-12);
        assert!(is_near(bounds_95(5, 10), 0.1871, 0.8129));
        // Ten in a million: a tenth of the bounds of a Poisson count of ten, 4.795 and 18.390.
        assert!(is_near(bounds_95(10, 1_000_000), 4.795e-6, 1.8390e-5));
        assert!(is_near(bounds_95(500_000, 1_000_000), 0.499_019_6, 0.500_980_4));
    }

    #[test]
    fn nothing_is_known_without_trials() {
        assert_eq!(bounds_95(0, 0), Bounds { low: 0.0, high: 1.0 });
        assert_eq!(bounds_95(7, 5), bounds_95(5, 5));
    }

    #[test]
    fn the_bounds_hold_the_rate_at_least_as_often_as_they_say() {
        let trials = 25;
        let bounds: Vec<_> = (0..=trials).map(|hits| bounds_95(hits, trials)).collect();
        for rate in (1u32..100).map(|percent| f64::from(percent) / 100.0) {
            // P(hits = k), by recurrence.
            let mut chance = (1.0 - rate).powi(25);
            let mut covered = 0.0;
            for (hits, bounds) in (0u32..).zip(&bounds) {
                if (bounds.low..=bounds.high).contains(&rate) {
                    covered += chance;
                }
                chance *= f64::from(25 - hits) / f64::from(hits + 1) * rate / (1.0 - rate);
            }
            assert!(covered >= 0.95, "{rate}: {covered}");
        }
    }
}
