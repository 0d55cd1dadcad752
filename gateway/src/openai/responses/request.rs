//! The request: read as the chat that asks for the same (`assay_model::responses`), errors in this dialect's words.

use assay_model::responses::{self, Names};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Asked;
use crate::openai::{
    ChatAsk, ChatRequest, InvalidRequest, assurance::VerificationAsk, metadata::check_metadata,
};

/// The body as clients send it. Fields that are not listed are ignored.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct ResponseRequest(Map<String, Value>);

/// What a body may hold, for the document: it is read as a chat's.
#[derive(Debug, ToSchema)]
#[schema(as = ResponseRequest)]
#[expect(dead_code, reason = "it only describes")]
pub struct ResponseBody {
    /// A name of `GET /v1/models`.
    #[schema(required)]
    model: Option<String>,
    /// A string, or items: messages, function calls and their outputs.
    #[schema(required, value_type = Value)]
    input: Option<Value>,
    /// What the system says before all items.
    instructions: Option<String>,
    /// Most answer tokens, the end token included.
    max_output_tokens: Option<i64>,
    /// 0 to 2, default 1.
    temperature: Option<f64>,
    /// 0 to 1, default 1.
    top_p: Option<f64>,
    /// Answer as server-sent events.
    stream: Option<bool>,
    /// `{"format": …}`: `text`, `json_object`, or `json_schema` with `name` and `schema`.
    #[schema(value_type = Option<Object>)]
    text: Option<Value>,
    /// `{"type": "function", "name", "description", "parameters"}`, 128 at most. Hosted tools are not served.
    #[schema(value_type = Option<Vec<Object>>)]
    tools: Option<Value>,
    /// `none`, `auto` (the default), `required` or `{"type": "function", "name"}`.
    #[schema(value_type = Option<Value>)]
    tool_choice: Option<Value>,
    /// Whether an answer may hold more than one call. Default true.
    parallel_tool_calls: Option<bool>,
    /// Given back as it is.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// Not served: nothing is stored. `store` is accepted, and false.
    previous_response_id: Option<String>,
    /// How much assurance this answer needs; the header `x-assay-risk` says the same.
    verification: Option<VerificationAsk>,
}

/// A request that can be served as far as its form goes.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseAsk {
    /// The chat that asks for the same.
    pub chat: ChatAsk,
    /// What the response repeats.
    pub asked: Asked,
    /// What the chat's fields are called in the request.
    pub names: Names,
}

impl ResponseRequest {
    /// Checks every field.
    pub fn check(&self) -> Result<ResponseAsk, InvalidRequest> {
        let body = Value::Object(self.0.clone());
        let as_chat = responses::as_chat(&body).map_err(|wrong| match body.get("input") {
            None | Some(Value::Null) if wrong.param == "input" => InvalidRequest::missing("input"),
            _ => wrong.into(),
        })?;
        let chat: ChatRequest =
            serde_path_to_error::deserialize(&as_chat.body).map_err(|error| {
                let param = as_chat.names.param(&error.path().to_string());
                InvalidRequest::of(&*param, format!("'{param}' is not valid: {}.", error.inner()))
            })?;
        let chat =
            chat.check().map_err(|error| error.renamed(|param| as_chat.names.param(param)))?;
        Ok(ResponseAsk { chat, asked: self.asked()?, names: as_chat.names })
    }

    fn asked(&self) -> Result<Asked, InvalidRequest> {
        let given = |key: &str| self.0.get(key).filter(|value| !value.is_null());
        let or = |key: &str, default: Value| given(key).cloned().unwrap_or(default);
        let format = given("text").and_then(|text| text.get("format")).filter(|it| !it.is_null());
        let metadata = or("metadata", json!({}));
        check_metadata(Some(&metadata))?;
        Ok(Asked {
            instructions: given("instructions").and_then(Value::as_str).map(str::to_owned),
            max_output_tokens: given("max_output_tokens").and_then(Value::as_i64),
            metadata,
            parallel_tool_calls: given("parallel_tool_calls")
                .and_then(Value::as_bool)
                .unwrap_or(true),
            previous_response_id: None,
            store: false,
            temperature: given("temperature").and_then(Value::as_f64).unwrap_or(1.0),
            text: json!({"format": format.cloned().unwrap_or_else(|| json!({"type": "text"}))}),
            tool_choice: or("tool_choice", json!("auto")),
            tools: given("tools").and_then(Value::as_array).cloned().unwrap_or_default(),
            top_p: given("top_p").and_then(Value::as_f64).unwrap_or(1.0),
            truncation: "disabled",
        })
    }
}
