//! What a client looks up of its money.

use reqwest::Response;
use serde::{Deserialize, de::DeserializeOwned};

use super::Credits;
use crate::wait::within;

/// A movement of the account's money.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct MovementView {
    pub journal: i64,
    pub at_ms: i64,
    pub kind: String,
    pub bucket: String,
    #[serde(rename = "amount_nano")]
    pub amount: i64,
    pub key: String,
    pub note: String,
}

/// What a key did on a day.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct KeyDayView {
    pub key_id: i64,
    pub day_ms: i64,
    pub requests: i64,
    #[serde(rename = "spent_nano")]
    pub spent: i64,
    #[serde(rename = "held_nano")]
    pub held: i64,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
}

#[derive(Deserialize)]
struct Balance {
    available_nano: i64,
    held_nano: i64,
}

#[derive(Deserialize)]
struct Listing<T> {
    data: Vec<T>,
    next: Option<String>,
}

impl Credits {
    /// What is available, and what is held.
    pub async fn balance(&self) -> (i64, i64) {
        let balance: Balance = within("a balance", self.look("").await.json()).await.expect("JSON");
        (balance.available_nano, balance.held_nano)
    }

    /// All movements, read in pages of this size.
    pub async fn movements(&self, limit: usize) -> Vec<MovementView> {
        self.pages("entries", limit).await
    }

    /// The same, read as CSV.
    ///
    /// # Panics
    /// On anything that is no such table.
    pub async fn movements_csv(&self, limit: usize) -> Vec<MovementView> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/entries?format=csv&limit={limit}{after}");
            let answer = self.look(&path).await;
            assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
            let next = answer.headers().get("x-assay-next").cloned();
            let text = within("a table", answer.text()).await.expect("text");
            let mut lines = text.lines();
            assert_eq!(lines.next(), Some("journal,at_ms,kind,bucket,amount_nano,key,note"));
            let before = all.len();
            all.extend(lines.map(movement));
            assert!(all.len() - before <= limit, "a page of {limit}: {text}");
            let Some(next) = next else { return all };
            after = format!("&after={}", next.to_str().expect("a plain cursor"));
        }
    }

    /// What each key did by day, read in pages of this size.
    pub async fn usage(&self, limit: usize) -> Vec<KeyDayView> {
        self.pages("usage", limit).await
    }

    /// The status of any `/v1/credits…`.
    pub async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }

    async fn pages<T: DeserializeOwned>(&self, of: &str, limit: usize) -> Vec<T> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.look(&format!("/{of}?limit={limit}{after}")).await;
            let page: Listing<T> = within("a page", page.json()).await.expect("a page is JSON");
            assert!(page.data.len() <= limit, "a page of {limit} has {}", page.data.len());
            all.extend(page.data);
            let Some(next) = page.next else { return all };
            after = format!("&after={next}");
        }
    }

    async fn look(&self, path: &str) -> Response {
        let answer = self.get(path).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer
    }

    async fn get(&self, path: &str) -> Response {
        let request = self.http.get(format!("{}/v1/credits{path}", self.url));
        within("an answer", request.bearer_auth(&self.key).send()).await.expect("it answers")
    }
}

/// A line of the table; the fields of ours that are quoted hold neither commas nor quotes.
fn movement(line: &str) -> MovementView {
    let mut fields = line.split(',').map(|field| field.trim_matches('"').to_owned());
    let mut field = || fields.next().unwrap_or_else(|| panic!("a line of seven fields: {line}"));
    let number = |text: String| text.parse().unwrap_or_else(|_| panic!("a number: {line}"));
    MovementView {
        journal: number(field()),
        at_ms: number(field()),
        kind: field(),
        bucket: field(),
        amount: number(field()),
        key: field(),
        note: field(),
    }
}
