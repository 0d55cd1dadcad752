//! Calls of functions in an answer: whole, and in the pieces of a stream.

use assay_model::ToolCall;
use assay_protocol::JobId;
use assay_verifier::receipt::bound::call_id;
use serde::Serialize;
use utoipa::ToSchema;

/// A call as a plain answer has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AnswerCall {
    /// Follows from the job and the call's place.
    pub id: String,
    /// Always `function`.
    pub r#type: &'static str,
    pub function: CalledFunction,
}

/// The function and what it is called with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CalledFunction {
    pub name: String,
    /// The text of a JSON object; its beginning where the answer was cut (`finish_reason` is `length`).
    pub arguments: String,
}

/// A piece of a call: the first names the function, the others bring arguments.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallDelta {
    /// Which call of the answer, from 0; in every piece.
    pub index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `function`, in the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<&'static str>,
    pub function: FunctionDelta,
}

/// What is new of the function.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FunctionDelta {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// More of the arguments' text; empty in the first piece.
    pub arguments: String,
}

impl AnswerCall {
    /// All calls of an answer, in order.
    pub fn all(job: JobId, calls: Vec<ToolCall>) -> Vec<Self> {
        let call = |(index, ToolCall { name, arguments })| Self {
            id: call_id(job, index),
            r#type: "function",
            function: CalledFunction { name, arguments },
        };
        (0..).zip(calls).map(call).collect()
    }
}

impl CallDelta {
    /// A call begins.
    pub fn begins(job: JobId, index: u32, name: String) -> Self {
        let function = FunctionDelta { name: Some(name), arguments: String::new() };
        Self { index, id: Some(call_id(job, index)), r#type: Some("function"), function }
    }

    /// It goes on.
    pub fn goes_on(index: u32, arguments: String) -> Self {
        Self { index, id: None, r#type: None, function: FunctionDelta { name: None, arguments } }
    }
}
