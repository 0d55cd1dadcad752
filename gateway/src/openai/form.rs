//! `response_format`, `tools` and what belongs to them: the form that an answer is held to.

use assay_model::{AnswerForm, FormFields, WrongForm};

use super::{InvalidRequest, chat_request::ChatRequest};
use crate::reasons::Reason;

/// The form that a request asks for.
pub(super) fn form(request: &ChatRequest) -> Result<AnswerForm, InvalidRequest> {
    let fields = FormFields {
        response_format: request.response_format.clone(),
        tools: request.tools.clone().map(Into::into),
        tool_choice: request.tool_choice.clone(),
        parallel_tool_calls: request.parallel_tool_calls.map(Into::into),
    };
    Ok(AnswerForm::read(&fields)?)
}

impl From<WrongForm> for InvalidRequest {
    fn from(wrong: WrongForm) -> Self {
        let code = wrong.is_unsupported.then_some(Reason::UnsupportedParameter);
        Self { code, ..Self::of(wrong.param, wrong.message) }
    }
}
