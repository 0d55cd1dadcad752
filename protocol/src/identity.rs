//! Proof that a node is who it says: what is signed at log-in and at enrolment, and how it is checked.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::{Bytes32, Bytes64, NodeId};

/// What a node signs to log in. The gateway looks the key up by node id, never in the message.
pub fn login_statement(gateway: &str, nonce: Bytes32, node: NodeId, version: u16) -> Vec<u8> {
    statement(
        b"assay/login/1",
        &[gateway.as_bytes(), &nonce.0, node.0.as_bytes(), &version.to_be_bytes()],
    )
}

/// What a node signs to enrol: that it holds the key which the one-time token is spent on.
pub fn enrol_statement(token: &str, public_key: Bytes32) -> Vec<u8> {
    statement(b"assay/enrol/1", &[token.as_bytes(), &public_key.0])
}

/// A tag and then every field, each with its length before it, so that no two lists read alike.
pub fn statement(tag: &[u8], fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in std::iter::once(&tag).chain(fields) {
        bytes.extend((field.len() as u64).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}

/// Signs a statement.
pub fn sign(key: &SigningKey, statement: &[u8]) -> Bytes64 {
    Bytes64(key.sign(statement).to_bytes())
}

/// Whether `signature` over `statement` is of this key; strict, so no second encoding passes.
pub fn verify(public_key: Bytes32, statement: &[u8], signature: Bytes64) -> bool {
    VerifyingKey::from_bytes(&public_key.0)
        .and_then(|key| key.verify_strict(statement, &Signature::from_bytes(&signature.0)))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_login_counts_for_its_gateway_nonce_node_and_version_only() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let public = Bytes32(key.verifying_key().to_bytes());
        let node = NodeId(Uuid::from_u128(9));
        let signed = login_statement("gw-1", Bytes32([1; 32]), node, 1);
        let signature = sign(&key, &signed);
        assert!(verify(public, &signed, signature));
        for other in [
            login_statement("gw-2", Bytes32([1; 32]), node, 1),
            login_statement("gw-1", Bytes32([2; 32]), node, 1),
            login_statement("gw-1", Bytes32([1; 32]), NodeId(Uuid::from_u128(8)), 1),
            login_statement("gw-1", Bytes32([1; 32]), node, 2),
        ] {
            assert!(!verify(public, &other, signature));
        }
    }

    #[test]
    fn fields_cannot_slide_into_each_other() {
        assert_ne!(statement(b"t", &[b"ab", b"c"]), statement(b"t", &[b"a", b"bc"]));
    }
}
