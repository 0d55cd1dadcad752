//! What an admin does and the line that says so are one transaction: where the line cannot be written, nothing was
//! done, and where it was done the line is there.

use assay_ledger::{AccountId, Nano};
use assay_protocol::{Bytes32, NodeId};

use super::{
    Client, admin, grant, on_each_engine, run,
    withdrawals::{Earner, asked, caps, earner},
    words,
};
use crate::db::{
    Actor, By, Db, DbError, NewAccount, NewEnrolment, NewKey, NewOperator, OperatorId, Page,
    accounts, admin_log, enrolments,
    invitations::{self, NewInvitation},
    keys::{self, KeyId, Successor},
    ledger_state, logins, nodes, operators,
    settled_payments::{self, SettleError, SettledPayment},
    standing,
    withdrawals::{self, Caps, Step, WithdrawalState},
};

/// Whom the acts are about.
struct Scene {
    ada: Client,
    operator: OperatorId,
    node: NodeId,
    /// In the states that lead on.
    withdrawals: Vec<String>,
}

const STATES: [WithdrawalState; 5] = [
    WithdrawalState::Approved,
    WithdrawalState::Rejected,
    WithdrawalState::Exported,
    WithdrawalState::Sent,
    WithdrawalState::Failed,
];

async fn scene(db: &Db) -> Scene {
    let Earner { client: ada, operator, node } = earner(db).await;
    let mut ids = Vec::new();
    for (key, to) in STATES.into_iter().enumerate() {
        // Those that an admin has to agree to wait for that.
        let waits = [WithdrawalState::Approved, WithdrawalState::Rejected].contains(&to);
        let limit = if waits { Nano::ZERO } else { Nano(i64::MAX) };
        let rules = Caps { approval_above: limit, ..caps(Nano(i64::MAX)) };
        let new = asked(operator, key as u128);
        ids.push(withdrawals::request(db, &new, &rules).await.unwrap().id);
    }
    ledger_state::stop_withdrawals(db, "a test").await.unwrap();
    Scene { ada, operator, node, withdrawals: ids }
}

/// Every act of the store's that an admin can do, each once; its word in the log, and what came of it.
async fn all_acts(db: &Db, scene: &Scene) -> Vec<(&'static str, Result<(), DbError>)> {
    let by = admin(1_000);
    let Scene { ada, operator, node, .. } = scene;
    let hash = |byte| Bytes32([byte; 32]);
    let named = || "n".to_owned();
    let key = NewKey {
        account: ada.account,
        name: named(),
        prefix: "ak-1".into(),
        hash: hash(201),
        risk: "low".into(),
        created_ms: 9,
        expires_ms: None,
        budget_day: None,
        scopes: String::new(),
        models: String::new(),
        rotated_from: None,
    };
    let next = Successor { prefix: "ak-2".into(), hash: hash(202), now_ms: 9, ends_ms: 10 };
    let token_hash = hash(203);
    let token = NewEnrolment { token_hash, operator: *operator, created_ms: 9, expires_ms: 99 };
    let token_hash = hash(204);
    let invitation = NewInvitation { token_hash, note: named(), created_ms: 9, expires_ms: 99 };
    let account = NewAccount { name: named(), created_ms: 9 };
    let new_operator = NewOperator { name: named(), created_ms: 9 };
    let nothing = |_| ();
    let mut done = vec![
        ("account.create", accounts::create(db, &account, &by).await.map(|_| ())),
        ("account.operator", accounts::set_operator(db, ada.account, Some(*operator), &by).await),
        ("credits.grant", grant(db, ada.account, Nano(7), "an act").await.map(nothing)),
        ("payments.settle", settle(db, ada.account, &by).await),
        ("key.create", keys::create(db, &key, &by).await.map(|_| ())),
        ("key.rotate", keys::rotate(db, ada.key, &next, &by).await.map(|_| ())),
        ("key.revoke", keys::revoke(db, KeyId(1), &by).await),
        ("operator.create", operators::create(db, &new_operator, &by).await.map(|_| ())),
        ("operator.secret", logins::set_secret(db, *operator, hash(205), &by).await),
        ("enrolment.create", enrolments::create(db, &token, By::Admin(&by)).await),
        ("invitation.create", invitations::create(db, &invitation, &by).await.map(|_| ())),
        ("node.trust", nodes::set_trusted(db, *node, true, &by).await),
        ("node.ban", standing::ban(db, *node, "it lied", &by).await),
        ("node.unban", standing::let_back(db, *node, &by).await),
        ("withdrawals.allow", ledger_state::allow_withdrawals(db, &by).await.map(nothing)),
    ];
    for (id, to) in scene.withdrawals.iter().zip(STATES) {
        let advanced = withdrawals::advance(db, id, Step::to(to, By::Admin(&by), 1_000)).await;
        let word = match to {
            WithdrawalState::Approved => "withdrawal.approve",
            WithdrawalState::Rejected => "withdrawal.reject",
            WithdrawalState::Exported => "withdrawal.export",
            WithdrawalState::Sent => "withdrawal.sent",
            _ => "withdrawal.failed",
        };
        done.push((word, advanced.map(|_| ())));
    }
    done
}

/// Money came in past the gateway.
async fn settle(db: &Db, account: AccountId, by: &Actor) -> Result<(), DbError> {
    let (reference, note) = ("re_1".to_owned(), "by hand".to_owned());
    let new = SettledPayment { reference, account: Some(account), cents: 1, note, at_ms: 9 };
    match settled_payments::settle(db, &new, by).await {
        Err(SettleError::Store(error)) => return Err(error),
        settled => settled.unwrap(),
    }
    Ok(())
}

/// Everything that an act may change, in words.
async fn state(db: &Db) -> Vec<String> {
    let queries = [
        "select 'account ' || id from account order by id",
        "select 'owner ' || account || ' ' || operator from account_operator order by account",
        "select 'balance ' || account || ' ' || available || ' ' || held from balance order by account",
        "select 'journal ' || key from journal order by key",
        "select 'key ' || id || ' ' || coalesce(expires_ms, 0) || ' ' || coalesce(revoked_ms, 0)
            from api_key order by id",
        "select 'operator ' || id from operator order by id",
        "select 'secret ' || secret_hash from operator_login order by operator",
        "select 'enrolment ' || token_hash from enrolment order by token_hash",
        "select 'invitation ' || id from invitation order by id",
        "select 'node ' || id || ' ' || trusted || ' ' || standing from node order by id",
        "select 'out ' || node || ' ' || code from node_standing order by node",
        "select 'withdrawal ' || id || ' ' || state from withdrawal order by id",
        "select 'settled ' || reference from settled_payment order by reference",
        "select 'stopped ' || value from setting where key = 'withdrawals_stopped'",
    ];
    let mut all = Vec::new();
    for query in queries {
        all.extend(words(db, query).await);
    }
    all
}

async fn logged(db: &Db) -> Vec<String> {
    let page = Page { after: None, limit: 0 };
    let rows = admin_log::list(db, &page).await.unwrap().rows;
    rows.into_iter().rev().map(|row| row.action).collect()
}

/// As when the program ends before the line is written.
async fn let_no_line_be_written(db: &Db) {
    let sql = match db.engine() {
        "sqlite" => {
            "create trigger no_line before insert on admin_log begin select raise(abort, 'no line'); end"
        }
        _ => {
            "create function no_line() returns trigger language plpgsql as
                $$ begin raise exception 'no line'; end $$;
            create trigger no_line before insert on admin_log for each row execute function no_line()"
        }
    };
    run(db, sql).await.unwrap();
}

#[tokio::test]
async fn an_act_whose_line_cannot_be_written_is_not_done() {
    on_each_engine(async |db| {
        let scene = scene(db).await;
        let before = state(db).await;
        let_no_line_be_written(db).await;
        for (word, done) in all_acts(db, &scene).await {
            let why = done.expect_err(word).to_string();
            assert!(why.contains("no line"), "{word}: {why}");
        }
        assert_eq!(state(db).await, before);
    })
    .await;
}

#[tokio::test]
async fn every_act_leaves_its_line() {
    on_each_engine(async |db| {
        let scene = scene(db).await;
        let before = logged(db).await.len();
        let done = all_acts(db, &scene).await;
        let expected: Vec<&str> = done.iter().map(|(word, _)| *word).collect();
        assert!(done.iter().all(|(_, done)| done.is_ok()), "{done:?}");
        assert_eq!(logged(db).await[before..], expected);
        // The same once more moves nothing, and is no act.
        let again = grant(db, scene.ada.account, Nano(7), "an act").await.unwrap();
        assert!(again);
        let by = admin(2_000);
        let step = Step::to(WithdrawalState::Exported, By::Admin(&by), by.at_ms);
        let exported = withdrawals::advance(db, &scene.withdrawals[2], step).await.unwrap();
        assert!(!exported.moved);
        assert_eq!(logged(db).await.len(), before + expected.len());
    })
    .await;
}

#[tokio::test]
async fn what_is_its_owners_own_is_not_in_the_admins_log() {
    on_each_engine(async |db| {
        let scene = scene(db).await;
        let before = logged(db).await;
        let step = Step::to(WithdrawalState::Cancelled, By::Own, 1_000);
        let cancelled = withdrawals::advance(db, &scene.withdrawals[0], step).await.unwrap();
        assert!(cancelled.moved);
        let (token_hash, operator) = (Bytes32([206; 32]), scene.operator);
        let token = NewEnrolment { token_hash, operator, created_ms: 9, expires_ms: 99 };
        enrolments::create(db, &token, By::Own).await.unwrap();
        assert_eq!(logged(db).await, before);
    })
    .await;
}
