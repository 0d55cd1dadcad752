//! The sessions of admins and of operators: a short-lived JWT, one algorithm (EdDSA), every claim required.

use std::fmt;

use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// Whom tokens are for, so that a token of one part never opens another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    Admin,
    Operator,
}

impl Audience {
    fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "assay-admin",
            Self::Operator => "assay-operator",
        }
    }
}

/// Clocks of one gateway's replicas may differ by this much.
const LEEWAY_S: u64 = 5;
/// Puts a raw Ed25519 seed into PKCS#8 version 1 (RFC 8410, section 7).
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Makes and reads session tokens of one gateway.
pub struct SessionTokens {
    issuer: String,
    audience: Audience,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// A log-in that is still good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminSession {
    /// Who acts; written to the admin log.
    pub sub: String,
    /// Names this log-in in the admin log.
    pub jti: String,
    /// Names the secret that opened it, where the session ends with that: an admin's.
    #[serde(default)]
    pub opened_by: String,
    iss: String,
    aud: String,
    iat: u64,
    nbf: u64,
    exp: u64,
}

impl SessionTokens {
    /// For the gateway of this id, signing with this Ed25519 seed.
    pub fn new(seed: &[u8; 32], gateway_id: &str, audience: Audience) -> Self {
        let mut pkcs8 = PKCS8_HEAD.to_vec();
        pkcs8.extend_from_slice(seed);
        let public = SigningKey::from_bytes(seed).verifying_key().to_bytes();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_issuer(&[gateway_id]);
        validation.set_audience(&[audience.as_str()]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        Self {
            issuer: gateway_id.to_owned(),
            audience,
            encoding: EncodingKey::from_ed_der(&pkcs8),
            decoding: DecodingKey::from_ed_der(&public),
            validation,
        }
    }

    /// A token for `subject`, opened by the secret of that name, good from `now_s` (Unix seconds) for `lasts_s`.
    pub fn issue(
        &self,
        subject: &str,
        opened_by: &str,
        id: String,
        now_s: u64,
        lasts_s: u64,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let session = AdminSession {
            sub: subject.to_owned(),
            jti: id,
            opened_by: opened_by.to_owned(),
            iss: self.issuer.clone(),
            aud: self.audience.as_str().to_owned(),
            iat: now_s,
            nbf: now_s,
            exp: now_s.saturating_add(lasts_s),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &session, &self.encoding)
    }

    /// The session of a token that is ours, for us, and good now.
    pub fn read(&self, token: &str) -> Option<AdminSession> {
        let session =
            jsonwebtoken::decode::<AdminSession>(token, &self.decoding, &self.validation).ok()?;
        Some(session.claims)
    }
}

impl fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTokens").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now_s() -> u64 {
        jsonwebtoken::get_current_timestamp()
    }

    fn tokens() -> SessionTokens {
        SessionTokens::new(&[3; 32], "gw-1", Audience::Admin)
    }

    #[test]
    fn a_fresh_token_opens_the_gateway_that_made_it() {
        let token = tokens().issue("admin", "", "1".to_owned(), now_s(), 60).unwrap();
        assert_eq!(tokens().read(&token).unwrap().sub, "admin");
        for (seed, gateway, audience) in [
            ([3; 32], "gw-2", Audience::Admin),
            ([4; 32], "gw-1", Audience::Admin),
            ([3; 32], "gw-1", Audience::Operator),
        ] {
            assert_eq!(SessionTokens::new(&seed, gateway, audience).read(&token), None);
        }
    }

    #[test]
    fn a_token_counts_neither_before_its_time_nor_after() {
        let of = |from, lasts| tokens().issue("admin", "", String::new(), from, lasts).unwrap();
        assert_eq!(tokens().read(&of(now_s() - 100, 60)), None);
        assert_eq!(tokens().read(&of(now_s() + 100, 60)), None);
    }

    #[test]
    fn another_algorithm_or_a_missing_claim_opens_nothing() {
        let session = serde_json::json!({"sub": "admin", "jti": "1", "iss": "gw-1",
            "aud": Audience::Admin.as_str(), "iat": now_s(), "nbf": now_s(), "exp": now_s() + 60});
        let by_secret = jsonwebtoken::encode(
            &Header::new(Algorithm::HS256),
            &session,
            &EncodingKey::from_secret(b"x"),
        );
        assert_eq!(tokens().read(&by_secret.unwrap()), None);
        for claim in ["sub", "iss", "aud", "nbf", "exp"] {
            let mut less = session.clone();
            less.as_object_mut().unwrap().remove(claim);
            let token =
                jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &less, &tokens().encoding);
            assert_eq!(tokens().read(&token.unwrap()), None, "without {claim}");
        }
    }
}
