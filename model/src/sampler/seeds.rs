//! Where a job's seed comes from: the client's `seed`, or the gateway's secret.

use assay_protocol::{Bytes32, TokenId};

/// The seed of a request that names one: equal requests get equal answers.
///
/// `BLAKE3("assay/client-seed/1\0" ‖ seed ‖ choice ‖ length ‖ prompt)`, integers little-endian: `seed` as i64,
/// `choice` as u32, the prompt's length as u64, ids as u32.
pub fn client_seed(seed: i64, choice: u32, prompt: &[TokenId]) -> Bytes32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"assay/client-seed/1\0");
    hasher.update(&seed.to_le_bytes());
    finish(hasher, choice, prompt)
}

/// The seed of a request that names none. The gateway commits to `k_seed` beforehand, so that it cannot try
/// seeds until it likes the text; a client's `nonce` makes the seed fresh.
///
/// BLAKE3 keyed with `k_seed` over `"assay/gateway-seed/1\0" ‖ has nonce ‖ nonce length ‖ nonce ‖ choice ‖
/// length ‖ prompt`: one byte 0 or 1, the rest as in [`client_seed`], the nonce as UTF-8.
pub fn gateway_seed(
    k_seed: &[u8; 32],
    nonce: Option<&str>,
    choice: u32,
    prompt: &[TokenId],
) -> Bytes32 {
    let text = nonce.unwrap_or_default();
    let mut hasher = blake3::Hasher::new_keyed(k_seed);
    hasher.update(b"assay/gateway-seed/1\0");
    hasher.update(&[u8::from(nonce.is_some())]);
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
    finish(hasher, choice, prompt)
}

fn finish(mut hasher: blake3::Hasher, choice: u32, prompt: &[TokenId]) -> Bytes32 {
    hasher.update(&choice.to_le_bytes());
    hasher.update(&(prompt.len() as u64).to_le_bytes());
    for id in prompt {
        hasher.update(&id.to_le_bytes());
    }
    Bytes32(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_request_changes_its_seed() {
        let base = client_seed(1, 0, &[1, 2]);
        assert_eq!(base, client_seed(1, 0, &[1, 2]));
        for other in
            [client_seed(2, 0, &[1, 2]), client_seed(1, 1, &[1, 2]), client_seed(1, 0, &[1])]
        {
            assert_ne!(base, other);
        }
        let base = gateway_seed(&[7; 32], None, 0, &[1, 2]);
        for other in [
            gateway_seed(&[8; 32], None, 0, &[1, 2]),
            gateway_seed(&[7; 32], Some(""), 0, &[1, 2]),
            gateway_seed(&[7; 32], Some("n"), 0, &[1, 2]),
            gateway_seed(&[7; 32], None, 1, &[1, 2]),
            gateway_seed(&[7; 32], None, 0, &[2, 1]),
        ] {
            assert_ne!(base, other);
        }
    }
}
