//! What an API key may be used for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::db::keys::KeyRow;

/// One kind of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// Asking models, and the receipts of their answers.
    #[serde(rename = "inference")]
    Inference,
    /// Looking at the account's money and requests.
    #[serde(rename = "credits.read")]
    CreditsRead,
    /// Topping up, and asking for credit back.
    #[serde(rename = "credits.write")]
    CreditsWrite,
}

impl Scope {
    /// All of them: what a key has unless less was asked for.
    pub const ALL: [Self; 3] = [Self::Inference, Self::CreditsRead, Self::CreditsWrite];

    /// The word in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::CreditsRead => "credits.read",
            Self::CreditsWrite => "credits.write",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// All that a key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    pub scopes: Vec<Scope>,
    /// The only models that it may ask; none: all.
    pub models: Vec<String>,
}

impl Default for Permissions {
    /// Everything.
    fn default() -> Self {
        Self { scopes: Scope::ALL.to_vec(), models: Vec::new() }
    }
}

impl Permissions {
    pub fn allow(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    pub fn allow_model(&self, id: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|model| model == id)
    }

    /// What a key has. A word that this program does not know allows nothing.
    pub fn of(row: &KeyRow) -> Self {
        Self {
            scopes: row.scopes.split_whitespace().filter_map(Scope::parse).collect(),
            models: row.models.lines().map(str::to_owned).collect(),
        }
    }

    /// As the store has them.
    pub(super) fn scopes_text(&self) -> String {
        self.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// As the store has them.
    pub(super) fn models_text(&self) -> String {
        self.models.join("\n")
    }
}
