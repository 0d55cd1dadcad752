//! Enrolment against a gateway that answers one request.

use assay_node_agent::{
    Identity,
    enrol::{Enrolment, enrol},
};
use assay_protocol::{
    Bytes32, Bytes64,
    identity::{enrol_statement, verify},
};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const NODE: &str = "01920000-0000-7000-8000-000000000001";

#[derive(Deserialize)]
struct Request {
    token: String,
    public_key: Bytes32,
    name: String,
    signature: Bytes64,
}

/// Takes one request and answers it; gives the request's path and body.
async fn answer_one(listener: TcpListener, status: &str, body: String) -> (String, Request) {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    let (head, request) = loop {
        let read = socket.read_buf(&mut bytes).await.unwrap();
        assert_ne!(read, 0, "the request is whole before it ends");
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(request) = serde_json::from_str(body)
        {
            break (head.lines().next().unwrap().to_owned(), request);
        }
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    socket.write_all(answer.as_bytes()).await.unwrap();
    (head, request)
}

#[tokio::test]
async fn a_token_is_spent_on_the_nodes_own_key() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway_url = format!("http://{}/", listener.local_addr().unwrap());
    let wanted = Enrolment { gateway_url: &gateway_url, token: "once", name: Some("my node") };
    let body = format!("{{\"node_id\":\"{NODE}\",\"gateway_id\":\"gw\"}}");
    let ((head, request), enrolled) =
        tokio::join!(answer_one(listener, "200 OK", body), enrol(&wanted, home.path(), [1; 32]));
    assert!(head.starts_with("POST /node/v1/enrol "), "{head}");
    assert_eq!((request.token.as_str(), request.name.as_str()), ("once", "my node"));
    let signed = enrol_statement("once", request.public_key);
    assert!(verify(request.public_key, &signed, request.signature));

    let enrolled = enrolled.unwrap();
    assert_eq!(enrolled.node.to_string(), NODE);
    let kept = Identity::load(home.path()).unwrap();
    assert_eq!(kept.node, enrolled.node);
    assert_eq!(kept.gateway_id, "gw");
    assert_eq!(kept.key.verifying_key().to_bytes(), request.public_key.0);

    let again = enrol(&wanted, home.path(), [2; 32]).await.unwrap_err();
    assert!(again.to_string().contains("already holds"), "{again}");
}

#[tokio::test]
async fn a_refusal_says_the_gateways_reason_and_leaves_no_identity() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway_url = format!("http://{}", listener.local_addr().unwrap());
    let wanted = Enrolment { gateway_url: &gateway_url, token: "spent", name: None };
    let body = r#"{"error":{"message":"this token was used before"}}"#.to_owned();
    let (_, enrolled) = tokio::join!(
        answer_one(listener, "401 Unauthorized", body),
        enrol(&wanted, home.path(), [1; 32])
    );
    let error = enrolled.unwrap_err().to_string();
    assert!(error.contains("this token was used before"), "{error}");
    assert!(Identity::load(home.path()).is_err());
}
