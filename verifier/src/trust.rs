//! The keys that a client pins: which gateways it means, and which nodes and witnesses it has seen. A receipt's own
//! word about a key counts for nothing.

use std::collections::BTreeMap;

use assay_protocol::{Bytes32, NodeId};
use serde::{Deserialize, Serialize};

use crate::receipt::{
    canonical::{Json, NotJson},
    gateway_name, key_id,
};

/// The only form that is read.
pub const FORMAT: &str = "assay-keys/1";
/// A file with more keys is none.
const KEYS_MAX: usize = 100_000;

/// `keys.json`: what a gateway publishes, and a client keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    pub format: String,
    /// The keys of one gateway over time, or of several.
    pub gateways: Vec<GatewayKey>,
    /// What nodes sign with. A node that is not listed is not refused, but named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<NodeId, Bytes32>,
    /// Others who sign checkpoints that they have seen to be consistent: name and key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub witnesses: BTreeMap<String, Bytes32>,
}

/// A key of a gateway, and when it counts (Unix milliseconds).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayKey {
    /// `gw-` and sixteen digits of the key's hash.
    pub id: String,
    pub key: Bytes32,
    #[serde(default)]
    pub from_ms: u64,
    /// Absent: it still counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

/// Why a file holds no keys to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(transparent)]
    NotJson(#[from] NotJson),
    #[error("it is not of the form {FORMAT}: {0}")]
    Json(#[from] serde_json::Error),
    #[error("its form is not {FORMAT}")]
    Format,
    #[error("it holds more than {KEYS_MAX} keys")]
    TooMany,
    #[error("`{0}` is not the id of its key")]
    Id(String),
}

impl GatewayKey {
    /// A key that counts from now on.
    pub fn new(key: Bytes32, from_ms: u64) -> Self {
        Self { id: gateway_name(key_id(key)), key, from_ms, until_ms: None }
    }

    fn counts_at(&self, time_ms: u64) -> bool {
        self.from_ms <= time_ms && self.until_ms.is_none_or(|until| time_ms < until)
    }
}

impl Trust {
    /// These gateways, nobody else.
    pub fn of(gateways: Vec<GatewayKey>) -> Self {
        let (nodes, witnesses) = (BTreeMap::new(), BTreeMap::new());
        Self { format: FORMAT.to_owned(), gateways, nodes, witnesses }
    }

    /// Reads a file. Keys that stand twice, or that nobody knows, are refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustError> {
        // serde takes the last of two equal keys of a map.
        Json::parse(bytes)?;
        let trust: Self = serde_json::from_slice(bytes)?;
        if trust.format != FORMAT {
            return Err(TrustError::Format);
        }
        if trust.gateways.len() + trust.nodes.len() + trust.witnesses.len() > KEYS_MAX {
            return Err(TrustError::TooMany);
        }
        let wrong = trust.gateways.iter().find(|known| known.id != gateway_name(key_id(known.key)));
        match wrong {
            Some(wrong) => Err(TrustError::Id(wrong.id.clone())),
            None => Ok(trust),
        }
    }

    /// The pinned gateway of this name.
    pub fn gateway(&self, name: &str) -> Option<&GatewayKey> {
        self.gateways.iter().find(|known| known.id == name)
    }

    /// Its key, if it counts at that time.
    pub fn key_at(&self, name: &str, time_ms: u64) -> Option<Bytes32> {
        let known = self.gateway(name).filter(|known| known.counts_at(time_ms));
        known.map(|known| known.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_back_and_a_false_id_is_refused() {
        let trust = Trust::of(vec![GatewayKey::new(Bytes32([3; 32]), 5)]);
        let text = serde_json::to_string(&trust).unwrap();
        assert_eq!(Trust::parse(text.as_bytes()).unwrap(), trust);
        let other = text.replace("gw-", "gw-0");
        assert!(matches!(Trust::parse(other.as_bytes()), Err(TrustError::Id(_))));
        let more = text.replacen('{', r#"{"more":1,"#, 1);
        assert!(matches!(Trust::parse(more.as_bytes()), Err(TrustError::Json(_))));
        let twice = text.replacen('{', r#"{"format":"assay-keys/1","#, 1);
        assert!(matches!(Trust::parse(twice.as_bytes()), Err(TrustError::NotJson(_))));
    }

    #[test]
    fn a_key_counts_in_its_time_only() {
        let mut known = GatewayKey::new(Bytes32([3; 32]), 10);
        known.until_ms = Some(20);
        let name = known.id.clone();
        let trust = Trust::of(vec![known]);
        let counts = |time_ms| trust.key_at(&name, time_ms).is_some();
        assert_eq!([9, 10, 19, 20].map(counts), [false, true, true, false]);
        assert_eq!(trust.key_at("gw-0", 15), None);
    }
}
