//! Whether a webhook is Stripe's: an HMAC over time and raw body, as <https://docs.stripe.com/webhooks>
//! describes it. Ours, so that it runs over the very bytes that came, before anything reads them.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Older or younger than this is a replay, or a clock that is wrong.
const AGE_S_MAX: u64 = 300;
/// Signatures in one header; Stripe sends one for each secret that is in use.
const SIGNATURES_MAX: usize = 16;

/// Why a webhook is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature header is missing or does not read")]
    Malformed,
    #[error("the signature is of another time")]
    Stale,
    #[error("no signature is of this body")]
    Wrong,
}

/// Checks `t=…,v1=…` over the body. Every `v1` is compared with every secret, each in constant time.
pub fn verify(header: &str, body: &[u8], secrets: &str, now_s: u64) -> Result<(), SignatureError> {
    let (time_s, signatures) = read(header).ok_or(SignatureError::Malformed)?;
    if now_s.abs_diff(time_s) > AGE_S_MAX {
        return Err(SignatureError::Stale);
    }
    let mut right = false;
    for secret in secrets.split(',').map(str::trim).filter(|secret| !secret.is_empty()) {
        let mac = mac(secret, time_s, body);
        for signature in &signatures {
            right |= mac.clone().verify_slice(signature).is_ok();
        }
    }
    if right { Ok(()) } else { Err(SignatureError::Wrong) }
}

fn mac(secret: &str, time_s: u64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(time_s.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// The time and the `v1` signatures; other schemes are left alone.
fn read(header: &str) -> Option<(u64, Vec<Vec<u8>>)> {
    let (mut time_s, mut signatures) = (None, Vec::new());
    for part in header.split(',') {
        let (scheme, value) = part.trim().split_once('=')?;
        match scheme {
            // The time is signed as it was sent: another spelling of the same number is another text.
            "t" if time_s.is_none() => {
                let number: u64 = value.parse().ok()?;
                time_s = Some(number).filter(|number| number.to_string() == value);
                time_s?;
            }
            "t" => return None,
            "v1" if signatures.len() < SIGNATURES_MAX => signatures.extend(hex::decode(value)),
            _ => {}
        }
    }
    Some((time_s?, signatures)).filter(|(_, signatures)| !signatures.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_test";
    const BODY: &[u8] = br#"{"id": "evt_1"}"#;
    const NOW_S: u64 = 1_700_000_000;

    fn signed(secret: &str, time_s: u64, body: &[u8]) -> String {
        hex::encode(mac(secret, time_s, body).finalize().into_bytes())
    }

    fn header(time_s: u64, secret: &str) -> String {
        format!("t={time_s},v1={},v0=ignored", signed(secret, time_s, BODY))
    }

    #[test]
    fn a_signature_of_this_body_and_time_is_right() {
        assert_eq!(verify(&header(NOW_S, SECRET), BODY, SECRET, NOW_S), Ok(()));
        // Written down from the scheme itself, so that both sides of our code cannot be wrong alike:
        // printf '1700000000.{"id": "evt_1"}' | openssl dgst -sha256 -hmac whsec_test
        let known =
            "t=1700000000,v1=a0c091828640f0b68061abc7c03981ad1100ff7160c5dba6b656239494a2b537";
        assert_eq!(verify(known, BODY, SECRET, NOW_S), Ok(()));
    }

    #[test]
    fn every_v1_and_every_secret_counts() {
        let two = format!("t={NOW_S},v1={},v1={}", "00".repeat(32), signed("new", NOW_S, BODY));
        for both in ["old,new", "new, old", " old , new\n"] {
            assert_eq!(verify(&two, BODY, both, NOW_S), Ok(()), "{both:?}");
        }
        assert_eq!(verify(&two, BODY, "old", NOW_S), Err(SignatureError::Wrong));
        assert_eq!(
            verify(&two, BODY, " ,", NOW_S),
            Err(SignatureError::Wrong),
            "no secret, no entry"
        );
    }

    #[test]
    fn five_minutes_either_way() {
        for (now_s, expected) in [
            (NOW_S + 300, Ok(())),
            (NOW_S - 300, Ok(())),
            (NOW_S + 301, Err(SignatureError::Stale)),
            (NOW_S - 301, Err(SignatureError::Stale)),
        ] {
            assert_eq!(verify(&header(NOW_S, SECRET), BODY, SECRET, now_s), expected, "{now_s}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let right = header(NOW_S, SECRET);
        assert_eq!(verify(&right, b"{}", SECRET, NOW_S), Err(SignatureError::Wrong));
        let later = right.replace("t=1700000000", "t=1700000001");
        assert_eq!(verify(&later, BODY, SECRET, NOW_S), Err(SignatureError::Wrong));
        for text in [
            "",
            "t=1700000000",
            "v1=00",
            "t=x,v1=00",
            "t=1700000000,t=1700000000,v1=00",
            "t=+1700000000,v1=00",
            "t=1700000000,v1=zz",
            "nonsense",
        ] {
            let refused = verify(text, BODY, SECRET, NOW_S);
            assert_eq!(refused, Err(SignatureError::Malformed), "{text}");
        }
    }
}
