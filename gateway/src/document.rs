//! What axum and the derive macros cannot say of the routes: security schemes, wildcards, and the answers that follow
//! from an operation's form.

use std::iter;

use utoipa::openapi::{
    Content, OpenApi, Ref, RefOr, Response,
    path::{Operation, ParameterIn, PathItem},
    security::{Http, HttpAuthScheme, SecurityScheme},
};

/// The document as it is committed and served.
pub(crate) fn finished(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("api_key", bearer("An API key, `ak-…`."));
    let operators = bearer("From POST /operator/v1/login; renewed by POST /operator/v1/refresh.");
    components.add_security_scheme("operator_session", operators);
    components.add_security_scheme("admin_session", bearer("From POST /admin/v1/login."));
    let paths = &mut document.paths.paths;
    for (wildcard, plain) in
        [("/v1/models/{*id}", "/v1/models/{id}"), ("/log/tile/{*path}", "/log/tile/{path}")]
    {
        if let Some(item) = paths.remove(wildcard) {
            paths.insert(plain.to_owned(), item);
        }
    }
    for (path, item) in paths {
        for operation in operations(item) {
            add_answers(path, operation);
        }
    }
    document
}

fn bearer(text: &str) -> SecurityScheme {
    let mut http = Http::new(HttpAuthScheme::Bearer);
    http.description = Some(text.to_owned());
    SecurityScheme::Http(http)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    iter::empty()
        .chain(&mut item.get)
        .chain(&mut item.put)
        .chain(&mut item.post)
        .chain(&mut item.delete)
        .chain(&mut item.patch)
}

/// Those of the extractors and of the rate limit; what a handler says of a status itself stays.
fn add_answers(path: &str, operation: &mut Operation) {
    let has_body = operation.request_body.is_some();
    let has = |place: ParameterIn| {
        let parameters = operation.parameters.iter().flatten();
        parameters.into_iter().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == place,
            RefOr::Ref(_) => false,
        })
    };
    // Clients' and operators' operations; see `router::table`.
    let is_limited = ["/v1/", "/operator/v1/"].iter().any(|of| path.starts_with(of))
        && operation.security.is_some();
    let answers = [
        (has_body || has(ParameterIn::Query), "400", "`param` names the field that is wrong."),
        (has(ParameterIn::Path), "404", "There is no such object."),
        (has_body, "408", "The body took too long; retried by SDKs."),
        (has_body, "413", "The body is too large."),
        (is_limited, "429", "Code `rate_limit_exceeded` with retry-after."),
    ];
    let responses = &mut operation.responses.responses;
    for (_, status, description) in answers.into_iter().filter(|(follows, ..)| *follows) {
        responses.entry(status.to_owned()).or_insert_with(|| error(description).into());
    }
}

fn error(description: &str) -> Response {
    let mut response = Response::new(description);
    let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
    response.content.insert("application/json".to_owned(), body.into());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::document;

    #[test]
    fn what_follows_from_an_operations_form_is_said() {
        let mut document = document();
        let mut statuses = |path: &str| {
            let item = document.paths.paths.get_mut(path).expect("a path");
            let operation = operations(item).next().expect("an operation");
            operation.responses.responses.keys().cloned().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(statuses("/v1/models/{id}"), "200 401 404 429");
        assert_eq!(statuses("/admin/v1/login"), "200 400 401 408 413 429");
        assert_eq!(statuses("/operator/v1/jobs"), "200 400 401 429");
        assert_eq!(statuses("/log/consistency"), "200 400 404");
        assert_eq!(statuses("/healthz"), "200");
    }
}
