//! A model's text side: messages to prompt, text to ids, ids to text. No weights.

use std::{
    collections::BTreeSet,
    fmt,
    path::Path,
    sync::{Arc, OnceLock},
};

use assay_protocol::{Bytes32, TokenId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
#[cfg(test)]
use tokenizers::AddedToken;
use tokenizers::Tokenizer;

use crate::{
    CallStyle, Detokenizer, Grammar, GrammarError, Manifest, ModelError,
    calls::{Taught, Tokens},
    grammar::Grammars,
    template::Template,
};

/// What a model that embeds says to messages.
const NO_TEMPLATE: &[u8] = b"{{ raise_exception('this model takes no messages') }}";

/// One turn of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    pub role: String,
    pub content: String,
    /// Of an assistant's turn: `{"type", "id", "function": {"name", "arguments"}}`, the arguments as an object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<Value>,
    /// Of a tool's turn: the call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl ChatMessage {
    /// Somebody says something.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), ..Self::default() }
    }
}

/// Manifest, tokenizer and chat template of a model.
pub struct TextModel {
    pub manifest: Manifest,
    /// SHA-256 of `manifest.json`: the model's identity.
    pub manifest_hash: Bytes32,
    vocabulary: Arc<Vocabulary>,
    template: Template,
    /// What the template says of tools.
    taught: Taught,
    /// Made for the first grammar.
    grammars: OnceLock<Result<Grammars, GrammarError>>,
}

/// What turning ids into text needs; shared by every running answer.
pub(crate) struct Vocabulary {
    pub(crate) tokenizer: Tokenizer,
    /// End tokens and the tokenizer's special tokens, but for those that calls are spelled with.
    pub(crate) silent: BTreeSet<TokenId>,
}

impl TextModel {
    /// Loads the folder; tokenizer and template must be the files that the manifest names.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let (manifest, manifest_hash) = Manifest::load(dir)?;
        let tokenizer = load_tokenizer(&manifest, dir)?;
        let template = load_template(&manifest, dir, &tokenizer)?;
        Ok(Self::of(manifest, manifest_hash, tokenizer, template))
    }

    fn of(
        manifest: Manifest,
        manifest_hash: Bytes32,
        tokenizer: Tokenizer,
        template: Template,
    ) -> Self {
        let special = special_tokens(&tokenizer);
        let tokens = Tokens { special: &special, ends: &manifest.end_tokens };
        let taught = Taught::by(&template, &tokens);
        let is_spoken = |id: &TokenId| {
            let spoken = taught.style.iter().flat_map(|style| &style.special);
            spoken.into_iter().any(|(_, spoken)| spoken == id)
        };
        let special = special.iter().map(|(_, id)| *id).filter(|id| !is_spoken(id));
        let silent = special.chain(manifest.end_tokens.iter().copied()).collect();
        let vocabulary = Arc::new(Vocabulary { tokenizer, silent });
        let grammars = OnceLock::new();
        Self { manifest, manifest_hash, vocabulary, template, taught, grammars }
    }

    /// The prompt text of a conversation, up to where the assistant begins to speak.
    ///
    /// [`ModelError::MessagesRefused`] carries the template's own words about messages it cannot take.
    pub fn render(&self, messages: &[ChatMessage]) -> Result<String, ModelError> {
        self.render_with(messages, &[])
    }

    /// The same with functions that the model may call, as [`crate::AnswerForm::tools`] has them.
    pub fn render_with(
        &self,
        messages: &[ChatMessage],
        tools: &[Value],
    ) -> Result<String, ModelError> {
        self.template.render(&self.taught.fit(messages), tools)
    }

    /// How the model writes tool calls; none if it was taught no way that is known.
    pub fn call_style(&self) -> Option<&CallStyle> {
        self.taught.style.as_ref()
    }

    /// Whether prompts show functions that may be called.
    pub fn shows_tools(&self) -> bool {
        self.taught.shows_tools
    }

    /// The ids of a rendered prompt: special tokens in the text count as such, none is added.
    pub fn encode(&self, text: &str) -> Result<Vec<TokenId>, ModelError> {
        let encoding = self
            .vocabulary
            .tokenizer
            .encode_fast(text, false)
            .map_err(|error| ModelError::Encode(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a text that no template rendered: the tokenizer adds what it puts before any text, such as a first
    /// token.
    pub fn encode_raw(&self, text: &str) -> Result<Vec<TokenId>, ModelError> {
        let encoding = self.vocabulary.tokenizer.encode_fast(text, true);
        let encoding = encoding.map_err(|error| ModelError::Encode(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Compiles a grammar, which may take some milliseconds.
    pub fn grammar(&self, source: &str) -> Result<Grammar, GrammarError> {
        self.grammars()?.compile(source)
    }

    fn grammars(&self) -> Result<&Grammars, GrammarError> {
        let grammars = self.grammars.get_or_init(|| {
            let Manifest { vocab_size, end_tokens, .. } = &self.manifest;
            Grammars::of(&self.vocabulary.tokenizer, *vocab_size, end_tokens)
        });
        grammars.as_ref().map_err(Clone::clone)
    }

    /// Whether this token ends an answer.
    pub fn is_end(&self, id: TokenId) -> bool {
        self.manifest.end_tokens.contains(&id)
    }

    /// The text of these ids; special tokens have none.
    pub fn decode(&self, ids: &[TokenId]) -> String {
        let mut detokenizer = self.detokenizer();
        let text: String = ids.iter().map(|id| detokenizer.push(*id)).collect();
        text + &detokenizer.finish()
    }

    /// What a token adds to a text, perhaps not a whole character; nothing for special ones, and in a tokenizer whose tokens
    /// have no known bytes.
    pub fn bytes_of(&self, id: TokenId) -> Option<&[u8]> {
        self.grammars().ok()?.bytes_of(id)
    }

    /// The name of a token that has no text of its own, such as an end token.
    pub fn name_of(&self, id: TokenId) -> Option<String> {
        self.vocabulary.tokenizer.id_to_token(id)
    }

    /// Text from the ids of one answer, as they come.
    pub fn detokenizer(&self) -> Detokenizer {
        Detokenizer::new(Arc::clone(&self.vocabulary))
    }
}

#[cfg(test)]
impl TextModel {
    /// The model that comes with this crate.
    pub(crate) fn demo() -> Self {
        Self::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("demo")).unwrap()
    }

    /// The same with another chat template, and more special tokens.
    pub(crate) fn demo_with(template: &str, special: &[&str]) -> Self {
        let Self { mut manifest, manifest_hash, vocabulary, .. } = Self::demo();
        let mut tokenizer = vocabulary.tokenizer.clone();
        let more: Vec<_> = special.iter().map(|text| AddedToken::from(*text, true)).collect();
        tokenizer.add_special_tokens(&more);
        manifest.vocab_size += u32::try_from(special.len()).unwrap();
        let template = Template::parse(template.to_owned(), "", "").unwrap();
        Self::of(manifest, manifest_hash, tokenizer, template)
    }
}

impl fmt::Debug for TextModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextModel")
            .field("id", &self.manifest.id)
            .field("manifest_hash", &self.manifest_hash)
            .finish_non_exhaustive()
    }
}

fn load_tokenizer(manifest: &Manifest, dir: &Path) -> Result<Tokenizer, ModelError> {
    let wrong = |problem: String| ModelError::TokenizerForm { model: manifest.id.clone(), problem };
    let bytes = manifest.read_text_file(dir, &manifest.tokenizer)?;
    let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(|error| wrong(error.to_string()))?;
    // Some published files cut or pad every text; a prompt is neither.
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|error| wrong(error.to_string()))?;
    let id_max = tokenizer.get_vocab(true).into_values().max();
    match id_max {
        None => Err(wrong("it has no tokens".into())),
        Some(id) if id >= manifest.vocab_size => Err(wrong(format!(
            "token {id} has no logit: the vocabulary is {}",
            manifest.vocab_size
        ))),
        Some(_) => Ok(tokenizer),
    }
}

fn load_template(
    manifest: &Manifest,
    dir: &Path,
    tokenizer: &Tokenizer,
) -> Result<Template, ModelError> {
    let bytes = match manifest.chat_template.is_empty() {
        // It embeds: nobody talks with it.
        true => NO_TEMPLATE.to_vec(),
        false => manifest.read_text_file(dir, &manifest.chat_template)?,
    };
    let source = String::from_utf8(bytes).map_err(|_| ModelError::Manifest {
        model: manifest.id.clone(),
        problem: "the chat template is not UTF-8".into(),
    })?;
    let bos_token = manifest.bos_token.as_deref().unwrap_or_default();
    let eos_token =
        manifest.end_tokens.first().and_then(|id| tokenizer.id_to_token(*id)).unwrap_or_default();
    Template::parse(source, bos_token, &eos_token)
        .map_err(|source| ModelError::TemplateForm { model: manifest.id.clone(), source })
}

/// Their texts and ids, in order of the ids.
fn special_tokens(tokenizer: &Tokenizer) -> Vec<(String, TokenId)> {
    let added = tokenizer.get_added_tokens_decoder().into_iter();
    let mut special: Vec<_> = added
        .filter(|(_, token)| token.special)
        .map(|(id, token)| (token.content.clone(), id))
        .collect();
    special.sort_unstable_by_key(|(_, id)| *id);
    special
}
