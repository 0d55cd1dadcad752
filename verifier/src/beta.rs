//! Quantiles of the Beta distribution, after the continued fraction of the incomplete beta function
//! (Abramowitz and Stegun 26.5.8; Lentz's method, as in Numerical Recipes, section 6.4).

/// Halvings of the unit interval: more than `f64` can tell apart.
const BISECTIONS: u32 = 60;
/// Terms of the continued fraction; a few times the square root of the larger parameter suffices, so this is
/// enough for millions of trials.
const TERMS_MAX: u32 = 20_000;
const PRECISION: f64 = 1e-15;
/// Stands in for a denominator of 0.
const TINY: f64 = 1e-300;

/// The `x` with `I_x(a, b) = p`, for `a, b ≥ 1` and `p` between 0 and 1.
pub(crate) fn quantile(p: f64, a: f64, b: f64) -> f64 {
    if b == 1.0 {
        // `I_x(a, 1) = x^a`: every node without failures.
        return libm::pow(p, 1.0 / a);
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..BISECTIONS {
        let middle = (low + high) / 2.0;
        if regularised(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// The regularised incomplete beta function `I_x(a, b)`: the probability of at most `x`. For whole parameters it is
/// the chance of at least `a` hits in `a + b − 1` trials that each hit with chance `x`.
pub(crate) fn regularised(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let ln_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let front = libm::exp(a * libm::log(x) + b * libm::log1p(-x) - ln_beta);
    // The fraction converges fast on this side only; the other follows by symmetry.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(x, a, b) / a
    } else {
        1.0 - front * continued_fraction(1.0 - x, b, a) / b
    }
}

fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in (1..=TERMS_MAX).map(f64::from) {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            step = c * d;
            fraction *= step;
        }
        if (step - 1.0).abs() < PRECISION {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// For whole parameters, `I_x(a, b)` is the chance of at least `a` heads in `a + b − 1` tosses.
    fn binomial_tail(x: f64, a: u32, b: u32) -> f64 {
        let n = a + b - 1;
        (a..=n)
            .map(|k| {
                let choose: f64 = (0..k).map(|i| f64::from(n - i) / f64::from(i + 1)).product();
                choose * x.powi(k.cast_signed()) * (1.0 - x).powi((n - k).cast_signed())
            })
            .sum()
    }

    #[test]
    fn closed_forms_hold() {
        // I_x(1, b) = 1 − (1 − x)^b; I_x(a, a) = 1/2 at x = 1/2.
        for b in [1.5, 2.0, 7.25] {
            let expected = 1.0 - 0.95f64.powf(1.0 / b);
            assert!((quantile(0.05, 1.0, b) - expected).abs() < 1e-12);
        }
        for a in [1.0, 3.5, 120.0] {
            assert!((regularised(0.5, a, a) - 0.5).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn it_is_the_binomial_tail(x in 0.001f64..0.999, a in 1u32..40, b in 1u32..40) {
            let found = regularised(x, f64::from(a), f64::from(b));
            prop_assert!((found - binomial_tail(x, a, b)).abs() < 1e-11);
        }

        #[test]
        fn a_quantile_is_where_the_distribution_reaches_it(
            p in 0.01f64..0.99,
            a in 1f64..300.0,
            b in 1f64..300.0,
        ) {
            prop_assert!((regularised(quantile(p, a, b), a, b) - p).abs() < 1e-9);
        }
    }
}
