//! Which answers are audited: a draw that no node can foresee, and everybody can repeat once the epoch's secret is
//! out. Gateways and auditors draw with this code.

use assay_protocol::{Bytes32, JobId};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Millionths in a whole.
pub const PPM: u32 = 1_000_000;

/// What a gateway publishes before an epoch begins.
pub fn commitment(secret: Bytes32) -> Bytes32 {
    let digest =
        Sha256::new_with_prefix(b"assay/audit-epoch/1\0").chain_update(secret.0).finalize();
    Bytes32(digest.into())
}

/// What an audit is drawn from, beside the epoch's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    pub job: JobId,
    /// The last link of the answer's hash chain.
    pub link: Bytes32,
    /// The root of the first checkpoint that covers the answer's entry; zeros where no log is kept.
    pub checkpoint: Bytes32,
    /// The chance, in millionths.
    pub q_ppm: u32,
}

/// Whether this answer is audited: the first eight bytes of `HMAC-SHA-256(secret, tag ‖ job ‖ last link ‖ checkpoint)`,
/// as a big-endian fraction of 2^64, are below `q_ppm` millionths.
pub fn is_drawn(secret: Bytes32, draw: &Draw) -> bool {
    let Draw { job, link, checkpoint, q_ppm } = draw;
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("HMAC takes keys of any length");
    mac.update(b"assay/audit-draw/2\0");
    mac.update(job.0.as_bytes());
    mac.update(&link.0);
    mac.update(&checkpoint.0);
    let digest: [u8; 32] = mac.finalize().into_bytes().into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u128::from(u64::from_be_bytes(first)) * u128::from(PPM) < u128::from(*q_ppm) << 64
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_means_always_zero_means_never_and_between_is_about_as_often() {
        let draw = |job: u128, q_ppm| {
            let (job, [link, checkpoint]) = (JobId(Uuid::from_u128(job)), [Bytes32([2; 32]); 2]);
            is_drawn(Bytes32([1; 32]), &Draw { job, link, checkpoint, q_ppm })
        };
        assert!((0..200).all(|job| draw(job, PPM) && !draw(job, 0)));
        let often = (0..2_000).filter(|job| draw(*job, PPM / 10)).count();
        // 200 expected, standard deviation 13.
        assert!((135..265).contains(&often), "{often}");
    }

    #[test]
    fn everything_enters_the_draw() {
        let half = |secret: u8, job: u128, link: u8, checkpoint: u8| {
            let job = JobId(Uuid::from_u128(job));
            let (link, checkpoint) = (Bytes32([link; 32]), Bytes32([checkpoint; 32]));
            is_drawn(Bytes32([secret; 32]), &Draw { job, link, checkpoint, q_ppm: PPM / 2 })
        };
        let differs = |draws: Vec<bool>| draws.iter().any(|drawn| *drawn != draws[0]);
        assert!(differs((0..40).map(|n| half(n, 1, 1, 1)).collect()));
        assert!(differs((0u8..40).map(|n| half(1, u128::from(n), 1, 1)).collect()));
        assert!(differs((0..40).map(|n| half(1, 1, n, 1)).collect()));
        assert!(differs((0..40).map(|n| half(1, 1, 1, n)).collect()));
    }

    #[test]
    fn a_commitment_is_of_one_secret() {
        assert_ne!(commitment(Bytes32([1; 32])), commitment(Bytes32([2; 32])));
    }
}
