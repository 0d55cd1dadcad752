//! The chat template of a model, rendered as Hugging Face's tokenizers do: Jinja with Python's string
//! methods, blocks trimmed, `raise_exception` for messages that the model cannot take.

use minijinja::{Environment, ErrorKind, Value, context, syntax::SyntaxConfig, value::Serde};

use crate::{ChatMessage, ModelError};

const NAME: &str = "chat_template";
/// Starts the detail of an error that the template itself raised.
const RAISED: &str = "raised by the chat template: ";

/// A parsed template. It sees no clock, so that the same messages always give the same prompt.
pub(crate) struct Template(Environment<'static>);

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
        environment.add_global("bos_token", bos_token.to_owned());
        environment.add_global("eos_token", eos_token.to_owned());
        environment.add_template_owned(NAME, source)?;
        Ok(Self(environment))
    }

    /// The prompt for these messages, up to where the assistant begins to speak.
    pub(crate) fn render(&self, messages: &[ChatMessage]) -> Result<String, ModelError> {
        let messages = Value::from(Serde(messages));
        let context = context! { messages, add_generation_prompt => true };
        self.0.get_template(NAME).and_then(|template| template.render(context)).map_err(|error| {
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
mod tests {
    use super::*;

    fn render(source: &str, messages: &[(&str, &str)]) -> Result<String, ModelError> {
        let messages: Vec<_> = messages
            .iter()
            .map(|(role, content)| ChatMessage {
                role: (*role).to_owned(),
                content: (*content).to_owned(),
            })
            .collect();
        Template::parse(source.to_owned(), "<s>", "</s>").unwrap().render(&messages)
    }

    #[test]
    fn python_methods_trimmed_blocks_and_special_tokens_work_as_in_hugging_face() {
        let source = "{{ bos_token }}\n{% for m in messages %}\n  {%- if m['role'].startswith('u') %}\n\
                      [{{ m['content'].strip().upper() }}]{{ eos_token }}\n  {% endif %}\n{% endfor %}\n\
                      {% if add_generation_prompt %}>{% endif %}";
        assert_eq!(render(source, &[("user", " hi ")]).unwrap(), "<s>\n[HI]</s>\n>");
    }

    #[test]
    fn nothing_in_a_message_is_escaped_or_executed() {
        let source = "{{ messages[0].content }}";
        let content = "<b>{{ 1 + 1 }}</b> & \"'";
        assert_eq!(render(source, &[("user", content)]).unwrap(), content);
    }

    #[test]
    fn a_template_refuses_messages_in_its_own_words() {
        let source = "{{ raise_exception('roles must alternate') }}";
        let error = render(source, &[("user", "hi")]).unwrap_err();
        assert!(
            matches!(error, ModelError::MessagesRefused(text) if text == "roles must alternate")
        );
        let error = render("{{ messages.nothing() }}", &[]).unwrap_err();
        assert!(matches!(error, ModelError::Template(_)));
    }
}
