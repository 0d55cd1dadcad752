//! `POST /v1/embeddings`: texts or token ids in, vectors out, as numbers or as base64 of their bytes.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    AssuranceAsk, InvalidRequest, RawPrompt, assurance::VerificationAsk,
    completion_request::prompts,
};

/// OpenAI's own bound.
const INPUTS_MAX: usize = 2_048;

/// The body as clients send it. Fields that are not listed are ignored.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct EmbeddingRequest {
    /// A name of `GET /v1/models`: a model that embeds.
    #[schema(required, value_type = String)]
    model: Option<String>,
    /// A string, a list of strings, a list of token ids, or a list of such lists; none empty, 2,048 at most.
    #[schema(required, value_type = Value)]
    input: Option<Value>,
    /// `float` (without it) or `base64`: the vector's 32-bit numbers, little-endian.
    #[schema(value_type = Option<EncodingFormat>)]
    encoding_format: Option<String>,
    /// Only what the model has: its vectors are not made to be cut.
    #[schema(minimum = 1)]
    dimensions: Option<i64>,
    /// How much assurance these vectors need; the header `x-assay-risk` says the same.
    verification: Option<VerificationAsk>,
}

/// How a vector is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum EncodingFormat {
    #[default]
    Float,
    Base64,
}

impl EncodingFormat {
    /// OpenAI's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Base64 => "base64",
        }
    }
}

/// A request that can be served as far as its form goes.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingAsk {
    pub model: String,
    /// At least one.
    pub inputs: Vec<RawPrompt>,
    pub encoding_format: EncodingFormat,
    pub dimensions: Option<i64>,
    pub assurance: AssuranceAsk,
}

/// All vectors.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EmbeddingList {
    /// Always `list`.
    pub object: &'static str,
    /// In the order of the inputs.
    pub data: Vec<EmbeddingObject>,
    pub model: String,
    pub usage: EmbeddingUsage,
    /// How the vectors were verified, and the name of their receipt. Not of OpenAI's shape; SDKs ignore it.
    pub x_assay: Value,
}

/// One vector.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EmbeddingObject {
    /// Always `embedding`.
    pub object: &'static str,
    pub index: usize,
    pub embedding: WrittenVector,
}

/// A vector of length 1.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum WrittenVector {
    Float(Vec<f32>),
    Base64(String),
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EmbeddingUsage {
    pub prompt_tokens: u32,
    /// The same: nothing is written.
    pub total_tokens: u32,
}

impl EmbeddingRequest {
    /// Checks every field.
    pub fn check(&self) -> Result<EmbeddingAsk, InvalidRequest> {
        let model = self.model.clone().ok_or_else(|| InvalidRequest::missing("model"))?;
        let input = self.input.as_ref().ok_or_else(|| InvalidRequest::missing("input"))?;
        let inputs = prompts(input).map_err(|_| {
            InvalidRequest::of(
                "input",
                "'input' must be a string, an array of strings, an array of token ids or an array of such arrays, \
                 none of them empty.",
            )
        })?;
        if inputs.len() > INPUTS_MAX {
            let message = format!("'input' may have at most {INPUTS_MAX} entries.");
            return Err(InvalidRequest::of("input", message));
        }
        let encoding_format = match self.encoding_format.as_deref() {
            None | Some("float") => EncodingFormat::Float,
            Some("base64") => EncodingFormat::Base64,
            Some(_) => {
                let message = "'encoding_format' must be 'float' or 'base64'.";
                return Err(InvalidRequest::of("encoding_format", message));
            }
        };
        let dimensions = self.dimensions;
        let assurance = AssuranceAsk::of(self.verification.as_ref())?;
        // All components are compared and none is drawn; and nothing is sent before the verdict.
        if assurance.checks.is_some() {
            return Err(InvalidRequest::not_served(
                "verification.checks",
                "Spot checks of vectors are",
            ));
        }
        if assurance.release.is_some() {
            return Err(InvalidRequest::not_served(
                "verification.release",
                "Streams of vectors are",
            ));
        }
        Ok(EmbeddingAsk { model, inputs, encoding_format, dimensions, assurance })
    }
}

impl EmbeddingList {
    /// Of all components, one input after the other.
    pub fn of(
        model: &str,
        components: &[f32],
        dimensions: usize,
        format: EncodingFormat,
        prompt_tokens: u32,
        x_assay: Value,
    ) -> Self {
        let vectors = components.chunks(dimensions.max(1)).enumerate();
        let data = vectors.map(|(index, vector)| EmbeddingObject {
            object: "embedding",
            index,
            embedding: WrittenVector::of(vector, format),
        });
        Self {
            object: "list",
            data: data.collect(),
            model: model.to_owned(),
            usage: EmbeddingUsage { prompt_tokens, total_tokens: prompt_tokens },
            x_assay,
        }
    }
}

impl WrittenVector {
    fn of(vector: &[f32], format: EncodingFormat) -> Self {
        match format {
            EncodingFormat::Float => Self::Float(vector.to_vec()),
            EncodingFormat::Base64 => {
                let bytes = vector.iter().flat_map(|component| component.to_le_bytes());
                Self::Base64(BASE64.encode(bytes.collect::<Vec<_>>()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mut body: Value) -> Result<EmbeddingAsk, InvalidRequest> {
        let fields = body.as_object_mut().unwrap();
        fields.entry("model").or_insert(json!("m"));
        fields.entry("input").or_insert(json!("a text"));
        serde_json::from_value::<EmbeddingRequest>(body).unwrap().check()
    }

    fn refused(body: Value) -> String {
        read(body.clone()).expect_err(&body.to_string()).param.expect("a param")
    }

    #[test]
    fn an_input_comes_in_four_forms_and_nulls_are_defaults() {
        let of = |input: Value| read(json!({"input": input})).unwrap().inputs;
        assert_eq!(of(json!("a")), [RawPrompt::Text("a".into())]);
        assert_eq!(of(json!(["a", "b"])).len(), 2);
        assert_eq!(of(json!([1, 2])), [RawPrompt::Ids(vec![1, 2])]);
        assert_eq!(of(json!([[1], [2, 3]])).len(), 2);
        let nulls = json!({"encoding_format": null, "dimensions": null, "user": null, "verification": null});
        assert_eq!(read(nulls).unwrap(), read(json!({})).unwrap());
    }

    #[test]
    fn what_cannot_be_embedded_is_refused_by_name() {
        for wrong in [json!([]), json!([[]]), json!(["a", 1]), json!(7), json!([-1]), Value::Null] {
            assert_eq!(refused(json!({"input": wrong})), "input");
        }
        assert_eq!(refused(json!({"input": vec!["a"; 2_049]})), "input");
        assert!(read(json!({"input": vec!["a"; 2_048]})).is_ok());
        assert_eq!(refused(json!({"encoding_format": "int8"})), "encoding_format");
        assert_eq!(refused(json!({"model": null})), "model");
        assert_eq!(refused(json!({"verification": {"checks": 3}})), "verification.checks");
        assert_eq!(refused(json!({"verification": {"release": "agreed"}})), "verification.release");
    }

    #[test]
    fn numbers_and_base64_are_the_same_bits() {
        let vector = [0.1_f32, -0.0, f32::MIN_POSITIVE, 0.333_333_34, -0.999_999_94];
        let numbers = serde_json::to_string(&WrittenVector::of(&vector, EncodingFormat::Float));
        let read: Vec<f32> = serde_json::from_str(&numbers.unwrap()).unwrap();
        let WrittenVector::Base64(text) = WrittenVector::of(&vector, EncodingFormat::Base64) else {
            panic!("base64 was asked for")
        };
        let bytes = BASE64.decode(text).unwrap();
        let decoded = bytes.as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it));
        let bits = |all: &mut dyn Iterator<Item = f32>| all.map(f32::to_bits).collect::<Vec<_>>();
        let expected = bits(&mut vector.iter().copied());
        assert_eq!(bits(&mut decoded.into_iter()), expected);
        assert_eq!(bits(&mut read.into_iter()), expected);
    }
}
