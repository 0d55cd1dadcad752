//! How the next token is drawn: the parameters that the gateway dictates with each job.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Bytes32, TokenId};

/// Parameters of the sampler `gmax-v1`. The defaults draw greedily without any mask.
///
/// Order of use: bias, penalties, temperature, top-k, top-p, min-p, noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// 0 (the most likely token) to 2.
    pub temperature: f64,
    /// Only the k largest logits; 0 means all.
    pub top_k: u32,
    /// Only the smallest set of tokens with at least this much probability; 1 means all.
    pub top_p: f64,
    /// Only tokens at least this likely, relative to the likeliest; 0 means all.
    pub min_p: f64,
    /// Taken once from the logit of each token that the answer already holds; -2 to 2.
    pub presence_penalty: f64,
    /// Taken for each time the answer already holds the token; -2 to 2.
    pub frequency_penalty: f64,
    /// Added to single logits; at most 1,024 entries, ids ascending, each once.
    pub logit_bias: Vec<(TokenId, f64)>,
    /// What the answer has to look like, as a grammar of the sampler's specification; at most
    /// [`GRAMMAR_BYTES_MAX`] bytes. None allows all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grammar: Option<String>,
    /// Whether log probabilities are told with the tokens, and of how many alternatives: at most
    /// [`crate::TOP_LOGPROBS_MAX`]. It changes nothing of what is drawn, and is not signed; what is told is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u8>,
}

/// The largest grammar that is taken, in bytes.
pub const GRAMMAR_BYTES_MAX: usize = 128 * 1024;

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: Vec::new(),
            grammar: None,
            top_logprobs: None,
        }
    }
}

impl Sampling {
    /// The bytes that stand for these parameters in a signature: fields in order of declaration,
    /// integers and the bits of floats big-endian, the bias list with its length before it. The grammar
    /// has its own place in a signature, by its hash.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(48 + 12 * self.logit_bias.len());
        bytes.extend(self.temperature.to_bits().to_be_bytes());
        bytes.extend(self.top_k.to_be_bytes());
        for value in [self.top_p, self.min_p, self.presence_penalty, self.frequency_penalty] {
            bytes.extend(value.to_bits().to_be_bytes());
        }
        bytes.extend((self.logit_bias.len() as u64).to_be_bytes());
        for (id, bias) in &self.logit_bias {
            bytes.extend(id.to_be_bytes());
            bytes.extend(bias.to_bits().to_be_bytes());
        }
        bytes
    }

    /// SHA-256 of the grammar, if there is one: what stands for it in a signature.
    pub fn grammar_hash(&self) -> Option<Bytes32> {
        self.grammar.as_ref().map(|grammar| Bytes32(Sha256::digest(grammar).into()))
    }
}
