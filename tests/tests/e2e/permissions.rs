//! Who may see and do what, over every endpoint of the published document: nobody sees or moves another
//! account's things, and whatever an admin does is in the log.

use std::collections::{BTreeMap, BTreeSet};

use assay_tests::{
    Ask, ChatClient, Credits, FakeStripe, OperatorClient, ScriptedNode, World, credits::Answer,
    stripe::Delivery,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const PAYOUTS: &str = "[economy]\npay_matures_ms = 0\npay_matures_jobs = 0\n[payouts]\nrail = 'manual'\n\
    withdrawal_nano_min = 1000\napproval_above_nano = 0\nday_operator_nano_max = 100000000\n";
const WITHDRAWN: i64 = 1_000;

/// An operation of the document.
#[derive(Clone, Debug)]
struct Operation {
    id: String,
    method: Method,
    path: String,
    /// `api_key`, `operator_session`, `admin_session`, or none.
    permission: Option<String>,
    /// What its query can ask for, besides a page.
    filters: Vec<String>,
}

impl Operation {
    /// Its path about this thing.
    fn about(&self, id: &str) -> String {
        self.path.replace("{id}", id)
    }

    fn names_a_thing(&self) -> bool {
        self.path.contains("{id}")
    }
}

/// All operations that the gateway says it has.
async fn operations(url: &str) -> Vec<Operation> {
    let document: Value = ask(url, Method::GET, "/openapi.json", "", None).await.body;
    let paths = document["paths"].as_object().expect("a document has paths");
    let operation = |path: &str, method: &str, it: &Value| Operation {
        id: it["operationId"].as_str().expect("a name").to_owned(),
        method: method.to_uppercase().parse().expect("a method"),
        path: path.to_owned(),
        permission: it["security"][0].as_object().and_then(|it| it.keys().next().cloned()),
        filters: filters(it),
    };
    let all = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods");
        methods.iter().map(move |(method, it)| operation(path, method, it))
    });
    all.collect()
}

fn filters(operation: &Value) -> Vec<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let query = parameters.filter(|it| it["in"] == "query");
    let names = query.filter_map(|it| it["name"].as_str());
    names.filter(|name| !["after", "limit", "format"].contains(name)).map(str::to_owned).collect()
}

/// Any request, with any token.
async fn ask(url: &str, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
    let mut request = reqwest::Client::new().request(method, format!("{url}{path}"));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.expect("the gateway answers");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

/// A client that paid in, chatted and wants some back; an operator that earned and takes some out.
struct Somebody {
    key: String,
    account: i64,
    operator: OperatorClient,
    node: ScriptedNode,
    withdrawal: String,
    /// What names anything of theirs, by what it is.
    things: BTreeMap<&'static str, String>,
}

struct Scene {
    world: World,
    url: String,
    somebody: Somebody,
    _stripe: FakeStripe,
    _others: [ScriptedNode; 2],
}

impl Scene {
    async fn play() -> Self {
        let stripe = FakeStripe::start().await;
        let world = World::with(&format!("{}{PAYOUTS}", stripe.settings())).await;
        let url = world.gateway.url();
        let _scorer = world.scorer().await;
        let (node, other) = (world.honest().await, world.honest().await);

        let account = world.admin.account("somebody").await;
        let key = world.admin.key(account).await;
        let credits = Credits::new(&url, &key);
        let top_up = credits.checkout(1_000, "k").await;
        let paid = Delivery::honest(&stripe.pay(&stripe.session_of(&top_up.id).id));
        assert_eq!(paid.send(&reqwest::Client::new(), &url).await.expect("an answer"), 200);
        let answer = ChatClient::new(&url, &key).plain(&Ask::say("Hello!").max_tokens(40)).await;
        let job = world.admin.job(&answer.expect("an answer").job).await;
        let refund: Value = credits.refund(&top_up.id, 100, "r").await.expect(StatusCode::CREATED);

        let operator = OperatorClient::of(&world.admin, &url, node.operator).await;
        let address = json!({"address": format!("0x{}", "a".repeat(40))});
        operator.ask(Method::PUT, "payout-address", address).await.expect::<Value>(StatusCode::OK);
        let withdrawal = withdraw(&operator).await;
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        let things = BTreeMap::from([
            ("job", job.id.clone()),
            ("top-up", top_up.id.clone()),
            ("refund", text(&refund["id"])),
            ("node", node.id().to_string()),
            ("withdrawal", withdrawal.clone()),
        ]);
        let somebody = Somebody { key, account, operator, node, withdrawal, things };
        Self { world, url, somebody, _stripe: stripe, _others: [_scorer, other] }
    }
}

/// Asks for a withdrawal; its id.
async fn withdraw(operator: &OperatorClient) -> String {
    let asked = operator.ask(Method::POST, "withdrawals", json!({"amount_nano": WITHDRAWN})).await;
    let asked: Value = asked.expect(StatusCode::CREATED);
    assert_eq!(asked["state"], "awaiting_approval");
    asked["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn nobody_sees_or_moves_what_is_anothers() {
    let Scene { world, url, somebody, _stripe, _others } = Scene::play().await;
    let (_, stranger) = world.client_with(1_000_000).await;
    let operator = world.operator().await;
    let stranger_operator = OperatorClient::of(&world.admin, &url, operator).await;
    let before = (
        world.admin.balance(somebody.account).await,
        somebody.operator.get("earnings").await,
        somebody.operator.get("withdrawals").await,
    );

    let mut filtered = 0;
    for operation in operations(&url).await {
        let (own, strange) = match operation.permission.as_deref() {
            Some("api_key") => (somebody.key.as_str(), stranger.key()),
            Some("operator_session") => (&*somebody.operator.token, &*stranger_operator.token),
            Some("admin_session") => {
                for token in [&*somebody.key, &*somebody.operator.token, ""] {
                    let path = operation.about("1");
                    let answer = ask(&url, operation.method.clone(), &path, token, None).await;
                    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{operation:?}");
                }
                continue;
            }
            // Whoever asks shows a secret, or sees what everybody may see.
            _ => continue,
        };
        // A session ends by this; nothing else does.
        if operation.path.ends_with("/logout") {
            continue;
        }
        // What a model is, every client may know.
        let of_somebody = !operation.path.starts_with("/v1/models");
        if of_somebody && operation.names_a_thing() {
            let mut known = 0;
            for (what, id) in &somebody.things {
                let path = operation.about(id);
                let answer = ask(&url, operation.method.clone(), &path, strange, None).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{what} by {operation:?}");
                if operation.method == Method::GET {
                    let answer = ask(&url, Method::GET, &path, own, None).await;
                    known += usize::from(answer.status == StatusCode::OK);
                }
            }
            let found = known > 0 || operation.method != Method::GET;
            assert!(found, "{operation:?} shows nothing to its owner: which id does it take?");
        } else if of_somebody && operation.method == Method::GET {
            let answer = ask(&url, Method::GET, &operation.path, strange, None).await;
            assert_eq!(answer.status, StatusCode::OK, "{operation:?}");
            let shown = answer.body.to_string();
            for (what, id) in &somebody.things {
                assert!(!shown.contains(id.as_str()), "a {what} in {operation:?}: {shown}");
            }
            filtered += nothing_by_filters(&url, &operation, strange, &somebody).await;
        }
        let other_side = if own == somebody.key { &somebody.operator.token } else { &somebody.key };
        for token in [other_side.as_str(), ""] {
            let path = operation.about("1");
            let answer = ask(&url, operation.method.clone(), &path, token, None).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{operation:?}");
        }
    }
    assert!(filtered > 0, "some lists have filters");
    let refund = json!({"top_up_id": somebody.things["top-up"], "amount_cents": 1});
    let refund = ask(&url, Method::POST, "/v1/credits/refunds", stranger.key(), Some(refund)).await;
    assert_eq!(refund.status, StatusCode::NOT_FOUND, "{:#}", refund.body);

    let after = (
        world.admin.balance(somebody.account).await,
        somebody.operator.get("earnings").await,
        somebody.operator.get("withdrawals").await,
    );
    assert_eq!(after, before, "nothing moved");
    end(world, &somebody).await;
}

/// Asks a list for somebody's things by each of its filters: a stranger gets nothing of theirs. How often it was asked.
async fn nothing_by_filters(
    url: &str,
    operation: &Operation,
    strange: &str,
    somebody: &Somebody,
) -> usize {
    let account = somebody.account.to_string();
    let values: Vec<&str> =
        somebody.things.values().map(String::as_str).chain([account.as_str()]).collect();
    let mut asked = 0;
    for filter in &operation.filters {
        for value in &values {
            let path = format!("{}?{filter}={value}", operation.path);
            let answer = ask(url, Method::GET, &path, strange, None).await;
            asked += 1;
            match answer.status {
                StatusCode::OK => {
                    let shown = answer.body.to_string();
                    let found = somebody.things.iter().find(|(_, id)| shown.contains(id.as_str()));
                    assert!(found.is_none(), "{found:?} by {path}: {shown}");
                }
                status => assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {:#}", answer.body),
            }
        }
    }
    asked
}

/// Lets go of what would stay held.
async fn end(world: World, somebody: &Somebody) {
    let path = format!("withdrawals/{}/cancel", somebody.withdrawal);
    let cancelled = somebody.operator.ask(Method::POST, &path, Value::Null).await;
    assert!(cancelled.status.is_success() || cancelled.status == StatusCode::CONFLICT);
    world.finish().await;
}

#[tokio::test]
async fn everything_that_an_admin_does_is_in_the_log() {
    let Scene { world, url, somebody, _stripe, _others } = Scene::play().await;
    let mut admin =
        Steps { url: &url, token: world.admin.token().to_owned(), done: BTreeSet::new() };
    let operator = somebody.node.operator.id;
    let withdrawal = |id: &str, step: &str| format!("withdrawals/{id}/{step}");

    admin.step("admin_login", "login", Method::POST, "login", admin.secret()).await;
    let account = admin
        .step(
            "admin_accounts_create",
            "account.create",
            Method::POST,
            "accounts",
            json!({"name": "n"}),
        )
        .await;
    let account = format!("accounts/{}", account["id"]);
    let body = json!({"amount_nano": 5});
    admin
        .step(
            "admin_accounts_grant",
            "credits.grant",
            Method::POST,
            &format!("{account}/credits"),
            body,
        )
        .await;
    let body = json!({"operator_id": operator});
    let path = format!("{account}/operator");
    admin.step("admin_accounts_operator", "account.operator", Method::PUT, &path, body).await;
    let body = json!({"note": "somebody new"});
    admin
        .step("admin_invitations_create", "invitation.create", Method::POST, "invitations", body)
        .await;
    let body = json!({"account_id": somebody.account, "name": "n"});
    let key = admin.step("admin_keys_create", "key.create", Method::POST, "keys", body).await;
    let path = format!("keys/{}/rotate", key["id"]);
    let key = admin.step("admin_keys_rotate", "key.rotate", Method::POST, &path, json!({})).await;
    let path = format!("keys/{}", key["id"]);
    admin.step("admin_keys_revoke", "key.revoke", Method::DELETE, &path, Value::Null).await;
    let body = json!({"name": "n"});
    admin.step("admin_operators_create", "operator.create", Method::POST, "operators", body).await;
    let path = format!("operators/{operator}/enrolment-tokens");
    let id = "admin_operators_enrolment_token";
    admin.step(id, "enrolment.create", Method::POST, &path, json!({})).await;
    let path = "payments/reconcile";
    let id = "admin_payments_reconcile";
    admin.step(id, "payments.reconcile", Method::POST, path, Value::Null).await;
    let body = json!({"reference": "re_1", "amount_cents": 0, "note": "a story"});
    let (id, path) = ("admin_payments_settle", "payments/settlements");
    admin.step(id, "payments.settle", Method::POST, path, body).await;

    // One withdrawal is refused, one fails, one is sent.
    let reason = json!({"reason": "a story"});
    let path = withdrawal(&somebody.withdrawal, "reject");
    let id = "admin_withdrawals_reject";
    admin.step(id, "withdrawal.reject", Method::POST, &path, reason.clone()).await;
    for (ending, action, body) in [
        ("failed", "withdrawal.failed", reason.clone()),
        ("sent", "withdrawal.sent", json!({"reference": "0x01"})),
    ] {
        let asked = withdraw(&somebody.operator).await;
        let path = withdrawal(&asked, "approve");
        let id = "admin_withdrawals_approve";
        admin.step(id, "withdrawal.approve", Method::POST, &path, Value::Null).await;
        let path = "withdrawals/export";
        let id = "admin_withdrawals_export";
        let csv = admin.step(id, "withdrawal.export", Method::POST, path, Value::Null).await;
        assert!(csv.as_str().expect("CSV").contains(&asked), "{csv}");
        let path = withdrawal(&asked, ending);
        let id = format!("admin_withdrawals_{ending}");
        admin.step(&id, action, Method::POST, &path, body).await;
    }

    let node = format!("nodes/{}", somebody.node.id());
    let body = json!({"trusted": false});
    admin.step("admin_nodes_change", "node.trust", Method::PATCH, &node, body).await;
    admin.step("admin_nodes_ban", "node.ban", Method::POST, &format!("{node}/ban"), reason).await;
    let path = format!("{node}/unban");
    admin.step("admin_nodes_unban", "node.unban", Method::POST, &path, Value::Null).await;

    // Last: this ends the operator's sessions.
    let path = format!("operators/{operator}/secret");
    admin.step("admin_operators_secret", "operator.secret", Method::POST, &path, Value::Null).await;

    let all = operations(&url).await;
    let acts = |it: &&Operation| it.path.starts_with("/admin/") && it.method != Method::GET;
    let acts: BTreeSet<String> = all.iter().filter(acts).map(|it| it.id.clone()).collect();
    assert_eq!(admin.done, acts, "each of them was done and found in the log");
    world.finish().await;
}

/// An admin at work, whose every step is looked for in the log.
struct Steps<'a> {
    url: &'a str,
    token: String,
    done: BTreeSet<String>,
}

impl Steps<'_> {
    fn secret(&self) -> Value {
        json!({"secret": assay_tests::gateway::ADMIN_SECRET})
    }

    async fn log(&self) -> Vec<Value> {
        let page = ask(self.url, Method::GET, "/admin/v1/log?limit=100", &self.token, None).await;
        page.body["data"].as_array().expect("a list of actions").clone()
    }

    /// Does it, and finds just this in the log; what came back.
    async fn step(
        &mut self,
        operation: &str,
        action: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Value {
        let before = self.log().await;
        let body = (!body.is_null()).then_some(body);
        let path = format!("/admin/v1/{path}");
        let answer = ask(self.url, method, &path, &self.token, body).await;
        assert!(answer.status.is_success(), "{operation}: {} {:#}", answer.status, answer.body);
        let after = self.log().await;
        let new: Vec<&Value> = after.iter().filter(|entry| !before.contains(entry)).collect();
        let [new] = new[..] else { panic!("{operation} left {new:#?}") };
        assert_eq!(new["action"], action, "{new:#}");
        assert!(new["actor"].as_str().is_some_and(|actor| actor.starts_with("admin/")), "{new:#}");
        self.done.insert(operation.to_owned());
        answer.body
    }
}
