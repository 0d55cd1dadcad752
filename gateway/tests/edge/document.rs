//! The API document is a contract: committed, fresh, and complete enough to build against.

use std::collections::BTreeSet;

use assay_gateway::router;

use crate::gateway::Gateway;

const COMMITTED: &str = include_str!("../../../openapi/openapi.json");

#[test]
fn the_committed_document_is_fresh() {
    assert!(
        router::document_json() == COMMITTED,
        "openapi/openapi.json is stale: gateway openapi > openapi/openapi.json"
    );
}

/// What the gateway is checked by needs no key, nor does who is about to log in.
const FOR_ANYBODY: [&str; 6] = [
    "/v1/verification/epochs",
    "/admin/v1/login",
    "/operator/v1/sign-up",
    "/operator/v1/login",
    "/operator/v1/refresh",
    "/operator/v1/reasons",
];

#[test]
fn every_operation_says_what_it_answers_and_who_may_ask() {
    let document: serde_json::Value = serde_json::from_str(COMMITTED).unwrap();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let of = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{of} has no summary");
            assert!(names.insert(operation["operationId"].to_string()), "{of} shares its name");
            assert!(
                !operation["responses"].as_object().unwrap().is_empty(),
                "{of} has no responses"
            );
            let protected = ["/v1/", "/admin/", "/operator/"].iter().any(|at| path.starts_with(at))
                && !FOR_ANYBODY.contains(&path.as_str());
            assert_eq!(operation["security"].is_array(), protected, "{of}");
        }
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let gateway = Gateway::start().await;
    let served = gateway.ask("GET", "/openapi.json", "", serde_json::Value::Null).await;
    assert_eq!(served.body, serde_json::from_str::<serde_json::Value>(COMMITTED).unwrap());
    let page = gateway.ask("GET", "/docs/", "", serde_json::Value::Null).await;
    assert_eq!(page.status, 200);
    assert!(page.body.as_str().unwrap().contains("swagger-ui"));
}
