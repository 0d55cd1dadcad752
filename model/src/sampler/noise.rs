//! Gumbel noise of one position, from BLAKE3: any id's noise can be read without the others'.

use assay_protocol::{Bytes32, TokenId};

/// The noise of one output position of one job.
#[derive(Debug)]
pub struct Noise(blake3::OutputReader);

impl Noise {
    /// Keyed with the seed, over the tag and the position.
    pub fn new(seed: Bytes32, index: u32) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&seed.0);
        hasher.update(super::NAME.as_bytes());
        hasher.update(&index.to_le_bytes());
        Self(hasher.finalize_xof())
    }

    /// Strictly between 0 and 1, with 52 random bits.
    pub fn uniform(&mut self, id: TokenId) -> f64 {
        let mut bytes = [0; 8];
        self.0.set_position(8 * u64::from(id));
        self.0.fill(&mut bytes);
        uniform_of(u64::from_le_bytes(bytes))
    }

    /// Standard Gumbel noise, from −3.6 to 36.7.
    pub fn gumbel(&mut self, id: TokenId) -> f64 {
        gumbel_of(self.uniform(id))
    }
}

/// `((x >> 12) + 0.5)·2⁻⁵²`: exact, because the sum needs 53 bits.
fn uniform_of(x: u64) -> f64 {
    const TWO_TO_MINUS_52: f64 = f64::EPSILON;
    #[expect(clippy::cast_precision_loss, reason = "52 bits are left, so the cast is exact")]
    let whole = (x >> 12) as f64;
    (whole + 0.5) * TWO_TO_MINUS_52
}

fn gumbel_of(u: f64) -> f64 {
    -libm::log(-libm::log(u))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_finite_at_both_ends() {
        let (low, high) = (uniform_of(0), uniform_of(u64::MAX));
        assert_eq!(low, 2f64.powi(-53));
        assert_eq!(high, 1.0 - 2f64.powi(-53));
        assert!((gumbel_of(low) + 3.604).abs() < 1e-3);
        assert!((gumbel_of(high) - 36.737).abs() < 1e-3);
    }

    #[test]
    fn noise_depends_on_seed_position_and_id_alone() {
        let (seed, other) = (Bytes32([1; 32]), Bytes32([2; 32]));
        let mut noise = Noise::new(seed, 5);
        let first = noise.uniform(1_000_000);
        noise.uniform(3);
        assert_eq!(noise.uniform(1_000_000), first);
        assert_ne!(noise.uniform(1_000_001), first);
        assert_ne!(Noise::new(seed, 6).uniform(1_000_000), first);
        assert_ne!(Noise::new(other, 5).uniform(1_000_000), first);
    }
}
