//! What a receipt binds of a request and of its answer, as salted hashes: both sides compute them from what they
//! hold, and only then does a receipt belong to them.

use assay_model::ToolCall;
use assay_protocol::{Bytes32, JobId, identity, vectors_hash};
use sha2::{Digest, Sha256};

use super::{
    canonical::{Json, NotJson},
    saved::SavedCall,
};

/// What an answer's id begins with: of a chat, a completion, a response, of vectors.
const ID_PREFIXES: [&str; 4] = ["chatcmpl-", "cmpl-", "resp_", EMBEDDING_PREFIX];
/// Vectors have no id in OpenAI's shape; a receipt calls them this and the job's id.
pub const EMBEDDING_PREFIX: &str = "embd-";

/// A field that says how vectors are written, not what they are. SDKs add it without being asked, so a request is the same with
/// it and without.
const UNBOUND: &str = "encoding_format";

/// A request as its client sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub json: Json,
    digest: Bytes32,
    /// What was sent beside the body.
    headers: Headers,
}

/// Headers that ask for what the body could ask for, too. They come first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// `x-assay-risk`.
    pub risk: Option<String>,
    /// `x-assay-nonce`.
    pub nonce: Option<String>,
}

impl Request {
    /// Reads the body of a request.
    pub fn parse(body: &[u8]) -> Result<Self, NotJson> {
        let json = Json::parse(body)?;
        let digest = Bytes32(Sha256::digest(json.canonical_without(UNBOUND)).into());
        Ok(Self { json, digest, headers: Headers::default() })
    }

    /// With the headers that it was sent with.
    pub fn with(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }

    /// How much assurance it asks for; nothing leaves that to the client's key.
    pub fn risk(&self) -> Option<&str> {
        self.headers.risk.as_deref().or_else(|| self.verification("risk"))
    }

    /// The client's own randomness.
    pub fn nonce(&self) -> Option<&str> {
        self.headers.nonce.as_deref().or_else(|| self.verification("nonce"))
    }

    /// The model that it asks for.
    pub fn model(&self) -> Option<&str> {
        self.json.get("model").and_then(Json::as_text)
    }

    fn verification(&self, key: &str) -> Option<&str> {
        self.json.get("verification")?.get(key)?.as_text()
    }

    /// SHA-256 of the canonical form, without what is not bound.
    pub fn digest(&self) -> Bytes32 {
        self.digest
    }
}

/// Of a request's digest and its salt: what stands in the receipt.
pub fn request_hash(salt: Bytes32, digest: Bytes32) -> Bytes32 {
    hash(b"assay/request/1", &[&salt.0, &digest.0])
}

/// The parts of an answer that its receipt binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub id: String,
    pub model: String,
    /// OpenAI's word: `stop`, `length`, `tool_calls`.
    pub finish_reason: String,
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
    /// SHA-256 of the content as UTF-8.
    pub content: Bytes32,
    /// SHA-256 of the canonical form of `tool_calls`, without `index`; of nothing when there are none.
    pub tool_calls: Bytes32,
}

impl Response {
    /// What stands in the receipt.
    pub fn hash(&self, salt: Bytes32) -> Bytes32 {
        let Self { id, model, finish_reason, content, tool_calls, .. } = self;
        let (prompt, completion) =
            (self.prompt_tokens.to_be_bytes(), self.completion_tokens.to_be_bytes());
        let fields: [&[u8]; 8] = [
            &salt.0,
            id.as_bytes(),
            model.as_bytes(),
            finish_reason.as_bytes(),
            &prompt,
            &completion,
            &content.0,
            &tool_calls.0,
        ];
        hash(b"assay/response/1", &fields)
    }
}

/// Whether an answer of one choice carries this id. Of several, it is named by the first, and each names its job.
pub fn is_response_id(id: &str, job: JobId) -> bool {
    ID_PREFIXES.iter().any(|prefix| id.strip_prefix(prefix) == Some(job.to_string().as_str()))
}

/// Of `content`, as it is bound.
pub fn content_digest(content: &str) -> Bytes32 {
    Bytes32(Sha256::digest(content).into())
}

/// What stands for vectors where an answer has its content: their hash, which nodes sign, in hex.
pub fn vectors_content(components: &[f32]) -> String {
    vectors_hash(components).to_string()
}

/// Of `tool_calls`, as it is bound.
pub fn tool_calls_digest(calls: &[SavedCall]) -> Bytes32 {
    let list = Json::List(calls.iter().map(SavedCall::to_json).collect());
    let text = if calls.is_empty() { String::new() } else { list.canonical() };
    Bytes32(Sha256::digest(text).into())
}

/// A call of an answer as its client gets it.
pub fn call(job: JobId, index: u32, call: ToolCall) -> SavedCall {
    SavedCall { id: call_id(job, index), name: call.name, arguments: call.arguments }
}

/// The id of an answer's call: `call_` and 24 digits that follow from the job and the call's place.
pub fn call_id(job: JobId, index: u32) -> String {
    let digest = hash(b"assay/tool-call/1", &[job.0.as_bytes(), &index.to_be_bytes()]);
    let digits: String = digest.0[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("call_{digits}")
}

fn hash(tag: &[u8], fields: &[&[u8]]) -> Bytes32 {
    Bytes32(Sha256::digest(identity::statement(tag, fields)).into())
}
