//! What a client can look up of its money, and the bounds that keep it from spending more than it meant to.

use assay_tests::{
    Ask, Behaviour, ChatClient, Completion, Credits, Gate, World,
    credits::history::{KeyDayView, MovementView},
    money::{Factor, Tokens, cost},
    wait_until,
    world::CREDIT,
};
use tokio::task::JoinSet;

const DAY_MS: i64 = 86_400_000;

fn price(answer: &Completion) -> i64 {
    let tokens = Tokens { prompt: answer.prompt_tokens, completion: answer.completion_tokens };
    cost(tokens, Factor::Standard)
}

/// The most that such a request can cost.
fn highest(answer: &Completion, max_tokens: u32) -> i64 {
    let tokens = Tokens { prompt: answer.prompt_tokens, completion: max_tokens };
    cost(tokens, Factor::Standard)
}

fn hello() -> Ask {
    Ask::say("Hello!").max_tokens(8)
}

fn sum(movements: &[MovementView], bucket: &str) -> i64 {
    movements.iter().filter(|moved| moved.bucket == bucket).map(|moved| moved.amount).sum()
}

#[tokio::test]
async fn an_account_reads_what_it_has_and_every_movement_page_by_page() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gate = Gate::closed();
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(world.paced(Behaviour::Honest, &gate).await);
    }
    let credits = Credits::new(&world.gateway.url(), world.client.key());
    assert_eq!(credits.balance().await, (CREDIT, 0));

    // What runs is held.
    let mut running = JoinSet::new();
    let client = world.client.clone();
    running.spawn(async move { client.plain(&hello()).await });
    let held = wait_until("credit is held", async || {
        let (available, held) = credits.balance().await;
        assert_eq!(available + held, CREDIT);
        (held > 0).then_some(held)
    })
    .await;
    gate.open();
    let first = running.join_all().await.remove(0).expect("an answer");
    assert_eq!(held, highest(&first, 8));

    let mut spent = price(&first);
    let mut jobs = vec![first.job];
    for _ in 0..2 {
        let answer = world.client.plain(&hello()).await.expect("an answer");
        spent += price(&answer);
        jobs.push(answer.job);
    }
    world.admin.no_job_runs().await;
    assert_eq!(credits.balance().await, (CREDIT - spent, 0));

    let movements = credits.movements(4).await;
    assert_eq!(sum(&movements, "available"), CREDIT - spent);
    assert_eq!(sum(&movements, "held"), 0);
    assert!(movements.is_sorted_by_key(|moved| -moved.journal), "the last first: {movements:#?}");
    let mut told = 1;
    for job in &jobs {
        let of_kind = |kind: &str, key: String| {
            movements.iter().filter(|moved| moved.kind == kind && moved.key == key).count()
        };
        let returned = world.admin.job_now(job).await.returned;
        let (begun, ended) = (2, 1 + usize::from(returned > 0));
        assert_eq!(of_kind("hold", format!("hold:{job}")), begun, "{movements:#?}");
        assert_eq!(of_kind("settle", format!("end:{job}")), ended, "{movements:#?}");
        told += begun + ended;
    }
    assert_eq!(movements.len(), told, "and the grant: {movements:#?}");
    let grant = movements.last().expect("the first of all");
    assert_eq!((grant.kind.as_str(), grant.amount), ("grant", CREDIT));
    for limit in [200, 1] {
        assert_eq!(credits.movements(limit).await, movements, "pages of {limit}");
    }
    for limit in [200, 5] {
        assert_eq!(credits.movements_csv(limit).await, movements, "CSV in pages of {limit}");
    }

    // Nobody reads anybody else's.
    let (_, stranger) = world.client_with(7).await;
    let stranger = Credits::new(&world.gateway.url(), stranger.key());
    assert_eq!(stranger.balance().await, (7, 0));
    assert_eq!(stranger.movements(200).await.len(), 1);
    assert_eq!(stranger.usage(200).await, []);
    let unknown = Credits::new(&world.gateway.url(), "sk-assay-nobody");
    assert_eq!(unknown.status("").await, 401);
    assert_eq!(credits.status("/entries?after=yesterday").await, 400);
    world.finish().await;
}

#[tokio::test]
async fn each_keys_requests_tokens_and_cost_are_counted_by_day() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    let url = world.gateway.url();
    let second = world.admin.new_key(world.account, None).await;
    let clients = [world.client.clone(), ChatClient::new(&url, &second.key)];
    let mut expected = [KeyDayView::default(); 2];
    for (client, day) in [0, 1, 0].into_iter().map(|at| (&clients[at], at)) {
        let answer = client.plain(&hello()).await.expect("an answer");
        let day = &mut expected[day];
        day.requests += 1;
        day.spent += price(&answer);
        day.prompt_tokens += i64::from(answer.prompt_tokens);
        day.completion_tokens += i64::from(answer.completion_tokens);
    }
    world.admin.no_job_runs().await;
    let credits = Credits::new(&url, world.client.key());
    let usage = credits.usage(200).await;
    assert_eq!(credits.usage(1).await, usage, "page by page");
    assert!(usage.iter().all(|day| day.day_ms % DAY_MS == 0), "{usage:#?}");
    // A run over midnight makes two days of one key.
    let of_key = |is_second: bool| {
        let days = usage.iter().filter(|day| (day.key_id == second.id) == is_second);
        days.fold(KeyDayView::default(), |sum, day| KeyDayView {
            key_id: 0,
            day_ms: 0,
            requests: sum.requests + day.requests,
            spent: sum.spent + day.spent,
            held: sum.held + day.held,
            prompt_tokens: sum.prompt_tokens + day.prompt_tokens,
            completion_tokens: sum.completion_tokens + day.completion_tokens,
        })
    };
    assert_eq!([of_key(false), of_key(true)], expected);
    world.finish().await;
}

#[tokio::test]
async fn an_account_that_has_enough_requests_running_is_told_to_come_again() {
    let world = World::with("[serving]\naccount_jobs_max = 2").await;
    let _scorer = world.scorer().await;
    let gate = Gate::closed();
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(world.paced(Behaviour::Honest, &gate).await);
    }
    let mut running = JoinSet::new();
    for _ in 0..2 {
        let client = world.client.clone();
        running.spawn(async move { client.plain(&hello()).await });
    }
    for node in &nodes {
        node.wait_for("has both", |seen| seen.starts == 2).await;
    }
    let refused = world.client.plain(&hello()).await.expect_err("a third one");
    assert_eq!(refused.status, 429, "{:#}", refused.error);
    assert_eq!(refused.error["code"], "rate_limit_exceeded", "{:#}", refused.error);
    assert_eq!(refused.headers["retry-after"], "1");
    let (_, other) = world.client_with(CREDIT).await;
    running.spawn(async move { other.plain(&hello()).await });
    for node in &nodes {
        node.wait_for("has another account's", |seen| seen.starts == 3).await;
    }
    gate.open();
    assert!(running.join_all().await.iter().all(Result::is_ok));
    world.admin.no_job_runs().await;
    world.client.plain(&hello()).await.expect("they have ended");
    world.finish().await;
}

#[tokio::test]
async fn a_key_spends_its_budget_of_a_day_and_no_more() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    let first = world.client.plain(&hello()).await.expect("an answer");
    let (most, spends) = (highest(&first, 8), price(&first));
    assert!(spends > 0);

    // Enough for the first request at its highest cost; what that really costs is then gone.
    let key = world.admin.new_key(world.account, Some(most)).await;
    let small = ChatClient::new(&world.gateway.url(), &key.key);
    small.plain(&hello()).await.expect("within the budget");
    world.admin.no_job_runs().await;
    let refused = small.plain(&hello()).await.expect_err("beyond the budget");
    assert_eq!(refused.status, 429, "{:#}", refused.error);
    assert_eq!(refused.error["code"], "key_budget_exceeded", "{:#}", refused.error);
    assert_eq!(refused.error["type"], "insufficient_quota", "as SDKs know it: {:#}", refused.error);
    assert_eq!(refused.headers["x-should-retry"], "false");
    assert!(!refused.headers.contains_key("retry-after"));
    let message = refused.error["message"].as_str().expect("a message");
    assert!(message.contains("budget"), "{message}");
    world.client.plain(&hello()).await.expect("the account's other key has no bound");
    let credits = Credits::new(&world.gateway.url(), world.client.key());
    assert_eq!(credits.balance().await, (CREDIT - 3 * spends, 0));
    world.finish().await;
}
