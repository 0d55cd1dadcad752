//! The chat template of a model, rendered as Hugging Face's tokenizers do: Jinja with Python's string
//! methods, blocks trimmed, `raise_exception` for messages that the model cannot take.

mod tojson;

use minijinja::{Environment, ErrorKind, Value, context, syntax::SyntaxConfig, value::Serde};

use crate::{ChatMessage, ModelError};

const NAME: &str = "chat_template";
/// Starts the detail of an error that the template itself raised.
const RAISED: &str = "raised by the chat template: ";

/// A parsed template. It sees no clock, so that the same messages always give the same prompt.
pub(crate) struct Template {
    environment: Environment<'static>,
}

impl Template {
    /// Parses the template; `bos_token` and `eos_token` are what the template knows by these names.
    pub(crate) fn parse(
        source: String,
        bos_token: &str,
        eos_token: &str,
    ) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        environment.set_syntax(syntax);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_filter("tojson", tojson::tojson);
        environment.add_global("bos_token", bos_token.to_owned());
        environment.add_global("eos_token", eos_token.to_owned());
        environment.add_template_owned(NAME, source)?;
        Ok(Self { environment })
    }

    /// The prompt for these messages and tools, up to where the assistant begins to speak.
    pub(crate) fn render(
        &self,
        messages: &[ChatMessage],
        tools: &[serde_json::Value],
    ) -> Result<String, ModelError> {
        let messages = Value::from(Serde(messages));
        // Templates ask whether there are tools at all.
        let tools = (!tools.is_empty()).then(|| Value::from(Serde(tools)));
        let context = context! { messages, tools, add_generation_prompt => true };
        let template = self.environment.get_template(NAME);
        template.and_then(|template| template.render(context)).map_err(|error| {
            match error.detail().and_then(|text| text.strip_prefix(RAISED)) {
                Some(text) => ModelError::MessagesRefused(text.to_owned()),
                None => ModelError::Template(error),
            }
        })
    }
}

fn raise_exception(text: String) -> Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("{RAISED}{text}")))
}

#[cfg(test)]
mod tests;
