//! Random commands: money is neither made nor lost, holds end once, keys count once.

use std::collections::BTreeMap;

use assay_ledger::{
    Account, AccountId, AccountKind, Balances, Bucket, Command, HoldId, HoldState, Nano, Posting,
    PostingKind, Rejected, Settlement, apply,
};
use proptest::prelude::*;

const CLIENTS: [AccountId; 2] = [AccountId(1001), AccountId(1002)];
const OPERATORS: [AccountId; 2] = [AccountId(1003), AccountId(1004)];

fn books() -> Balances {
    let empty = |kind| Account { kind, available: Nano::ZERO, held: Nano::ZERO };
    let clients = CLIENTS.map(|id| (id, empty(AccountKind::Client)));
    let operators = OPERATORS.map(|id| (id, empty(AccountKind::Operator)));
    Balances { accounts: clients.into_iter().chain(operators).collect(), ..Balances::default() }
}

fn grant(key: &str, amount: i64) -> Command {
    Command::Grant { key: key.into(), account: CLIENTS[0], amount: Nano(amount) }
}

fn hold(id: u128, amount: i64) -> Command {
    Command::Hold { hold: HoldId(id), account: CLIENTS[0], amount: Nano(amount) }
}

fn settle(id: u128, held: i64, pay: i64) -> Command {
    let settlement = Settlement {
        cost: Nano(2 * pay + 3),
        fee: Nano(2),
        pays: OPERATORS.map(|operator| (operator, Nano(pay))).into(),
        reserve: Nano(1),
        returned: Nano(held - 2 * pay - 3),
    };
    Command::Settle { hold: HoldId(id), settlement }
}

#[test]
fn a_job_is_granted_held_settled() {
    let mut books = books();
    apply(&mut books, &grant("first", 1000)).unwrap();
    apply(&mut books, &hold(1, 600)).unwrap();
    let client = books.accounts[&CLIENTS[0]];
    assert_eq!((client.available, client.held), (Nano(400), Nano(600)));

    let posting = apply(&mut books, &settle(1, 600, 100)).unwrap();
    assert_eq!(posting.kind, PostingKind::Settle);
    assert_eq!(posting.entries.len(), 6);
    let client = books.accounts[&CLIENTS[0]];
    assert_eq!((client.available, client.held), (Nano(797), Nano(0)));
    assert_eq!(books.accounts[&OPERATORS[1]].available, Nano(100));
    assert_eq!(books.holds[&HoldId(1)].state, HoldState::Settled);
}

#[test]
fn a_repeated_command_posts_the_same_and_moves_nothing() {
    let mut books = books();
    for command in [grant("a", 50), hold(1, 20), Command::Void { hold: HoldId(1) }] {
        let first = apply(&mut books, &command).unwrap();
        let before = books.clone();
        let again = apply(&mut books, &command).unwrap();
        assert!(again.repeated && !first.repeated);
        assert_eq!(Posting { repeated: false, ..again }, first);
        assert_eq!(books, before);
    }
}

#[test]
fn a_key_with_other_content_is_a_conflict() {
    let mut books = books();
    apply(&mut books, &grant("a", 50)).unwrap();
    apply(&mut books, &hold(1, 20)).unwrap();
    apply(&mut books, &Command::Void { hold: HoldId(1) }).unwrap();
    for (command, key) in [
        (grant("a", 51), "grant:a"),
        (hold(1, 21), "hold:00000000-0000-0000-0000-000000000001"),
        (settle(1, 20, 5), "end:00000000-0000-0000-0000-000000000001"),
    ] {
        let before = books.clone();
        assert_eq!(apply(&mut books, &command), Err(Rejected::KeyConflict { key: key.into() }));
        assert_eq!(books, before);
    }
}

#[test]
fn what_breaks_a_rule_is_rejected() {
    let mut books = books();
    apply(&mut books, &grant("a", 50)).unwrap();
    apply(&mut books, &hold(1, 20)).unwrap();
    let nobody = AccountId(9999);
    let operator = OPERATORS[0];
    let needed = AccountKind::Client;
    let unknown = HoldId(7);
    let to_client = Settlement {
        cost: Nano(20),
        fee: Nano(0),
        pays: vec![(CLIENTS[1], Nano(20))],
        reserve: Nano(0),
        returned: Nano(0),
    };
    for (command, rejected) in [
        (hold(2, 31), Rejected::InsufficientCredit { available: Nano(30), needed: Nano(31) }),
        (hold(2, -1), Rejected::BadAmount(Nano(-1))),
        (grant("b", 0), Rejected::BadAmount(Nano(0))),
        (
            Command::Grant { key: "b".into(), account: nobody, amount: Nano(1) },
            Rejected::UnknownAccount(nobody),
        ),
        (
            Command::Grant { key: "b".into(), account: operator, amount: Nano(1) },
            Rejected::WrongKind { account: operator, needed },
        ),
        (
            Command::TopUp { key: "b".into(), account: operator, amount: Nano(1) },
            Rejected::WrongKind { account: operator, needed },
        ),
        (
            Command::TopUp { key: "b".into(), account: CLIENTS[0], amount: Nano(0) },
            Rejected::BadAmount(Nano(0)),
        ),
        (Command::Void { hold: unknown }, Rejected::UnknownHold(unknown)),
        (Command::SendOut { hold: unknown }, Rejected::UnknownHold(unknown)),
        (settle(1, 21, 5), Rejected::NotAccountedFor { held: Nano(20) }),
        (
            Command::Settle { hold: HoldId(1), settlement: to_client },
            Rejected::WrongKind { account: CLIENTS[1], needed: AccountKind::Operator },
        ),
        (grant("b", i64::MAX), Rejected::BalanceOverflow(CLIENTS[0])),
    ] {
        let before = books.clone();
        assert_eq!(apply(&mut books, &command), Err(rejected));
        assert_eq!(books, before);
    }
}

#[test]
fn an_operator_takes_out_what_it_earned_once() {
    let mut books = books();
    let top_up =
        |key: &str| Command::TopUp { key: key.to_owned(), account: CLIENTS[0], amount: Nano(600) };
    assert!(!apply(&mut books, &top_up("a payment")).unwrap().repeated);
    assert!(apply(&mut books, &top_up("a payment")).unwrap().repeated, "a payment counts once");
    apply(&mut books, &hold(1, 600)).unwrap();
    apply(&mut books, &settle(1, 600, 100)).unwrap();

    let withdraw = |id, amount| Command::Hold {
        hold: HoldId(id),
        account: OPERATORS[0],
        amount: Nano(amount),
    };
    let poor = Rejected::InsufficientCredit { available: Nano(100), needed: Nano(101) };
    assert_eq!(apply(&mut books, &withdraw(2, 101)), Err(poor));
    apply(&mut books, &withdraw(2, 60)).unwrap();
    let job_of_an_operator =
        Rejected::WrongKind { account: OPERATORS[0], needed: AccountKind::Client };
    assert_eq!(apply(&mut books, &settle(2, 60, 5)), Err(job_of_an_operator));
    let sent = apply(&mut books, &Command::SendOut { hold: HoldId(2) }).unwrap();
    let outside = sent.entries.iter().find(|entry| entry.account == AccountId::OUTSIDE);
    assert_eq!(outside.map(|entry| entry.amount), Some(Nano(60)));
    let end = "end:00000000-0000-0000-0000-000000000002".to_owned();
    let ended = Err(Rejected::KeyConflict { key: end });
    assert_eq!(apply(&mut books, &Command::Void { hold: HoldId(2) }), ended);
    let operator = books.accounts[&OPERATORS[0]];
    assert_eq!((operator.available, operator.held), (Nano(40), Nano(0)));
}

fn forfeit(key: &str, clients: &[i64], reserve: i64) -> Command {
    let clients = CLIENTS.into_iter().zip(clients.iter().map(|amount| Nano(*amount)));
    let (key, from) = (key.to_owned(), OPERATORS[0]);
    Command::Forfeit { key, from, clients: clients.collect(), reserve: Nano(reserve) }
}

#[test]
fn a_cheats_pay_goes_to_the_clients_and_the_reserve_once() {
    let mut books = books();
    apply(&mut books, &grant("a", 600)).unwrap();
    apply(&mut books, &hold(1, 600)).unwrap();
    apply(&mut books, &settle(1, 600, 100)).unwrap();
    for (wrong, rejected) in [
        (
            forfeit("b", &[60], 41),
            Rejected::InsufficientCredit { available: Nano(100), needed: Nano(101) },
        ),
        (forfeit("b", &[], 0), Rejected::BadAmount(Nano(0))),
        (forfeit("b", &[-1], 5), Rejected::BadAmount(Nano(4))),
        (forfeit("b", &[1, 5], -2), Rejected::BadAmount(Nano(4))),
        (forfeit("b", &[i64::MAX], 1), Rejected::BalanceOverflow(OPERATORS[0])),
        (
            Command::Forfeit {
                key: "b".into(),
                from: CLIENTS[0],
                clients: Vec::new(),
                reserve: Nano(1),
            },
            Rejected::WrongKind { account: CLIENTS[0], needed: AccountKind::Operator },
        ),
        (
            Command::Forfeit {
                key: "b".into(),
                from: OPERATORS[0],
                clients: vec![(OPERATORS[1], Nano(1))],
                reserve: Nano(0),
            },
            Rejected::WrongKind { account: OPERATORS[1], needed: AccountKind::Client },
        ),
    ] {
        let before = books.clone();
        assert_eq!(apply(&mut books, &wrong), Err(rejected));
        assert_eq!(books, before);
    }
    let first = apply(&mut books, &forfeit("ban", &[60, 15], 20)).unwrap();
    assert_eq!((first.kind, first.entries.len()), (PostingKind::Forfeit, 4));
    let again = apply(&mut books, &forfeit("ban", &[60, 15], 20)).unwrap();
    assert_eq!(
        (again.entries, again.repeated),
        (first.entries, true),
        "also when it is poor by then"
    );
    let other = Rejected::KeyConflict { key: "forfeit:ban".into() };
    assert_eq!(apply(&mut books, &forfeit("ban", &[60], 20)), Err(other));
    assert_eq!(books.accounts[&OPERATORS[0]].available, Nano(5));
    assert_eq!(books.accounts[&CLIENTS[1]].available, Nano(15));
}

#[test]
fn pay_of_two_nodes_to_one_account_is_one_entry() {
    let mut books = books();
    apply(&mut books, &grant("a", 50)).unwrap();
    apply(&mut books, &hold(1, 20)).unwrap();
    let settlement = Settlement {
        cost: Nano(20),
        fee: Nano(0),
        pays: vec![(OPERATORS[0], Nano(7)), (OPERATORS[0], Nano(13))],
        reserve: Nano(0),
        returned: Nano(0),
    };
    let posting = apply(&mut books, &Command::Settle { hold: HoldId(1), settlement }).unwrap();
    assert_eq!(posting.entries.len(), 2);
    assert_eq!(books.accounts[&OPERATORS[0]].available, Nano(20));
}

#[test]
fn a_correction_gives_or_takes_what_is_there_and_nothing_of_an_operators() {
    let mut books = books();
    let correct = |key: &str, account, amount| Command::Correct {
        key: key.into(),
        account,
        amount: Nano(amount),
    };
    let had = books.accounts[&CLIENTS[0]].available;
    apply(&mut books, &correct("a", CLIENTS[0], 70)).unwrap();
    let posting = apply(&mut books, &correct("b", CLIENTS[0], -60)).unwrap();
    assert_eq!((posting.kind, posting.entries.len()), (PostingKind::Correct, 2));
    assert_eq!(books.accounts[&CLIENTS[0]].available, Nano(had.0 + 10));
    assert!(apply(&mut books, &correct("b", CLIENTS[0], -60)).unwrap().repeated);
    for (key, account, amount) in [
        ("c", CLIENTS[0], 0),
        ("c", CLIENTS[0], i64::MIN),
        ("c", CLIENTS[0], -(had.0 + 11)),
        ("c", OPERATORS[0], 5),
        ("a", CLIENTS[0], 71),
    ] {
        apply(&mut books, &correct(key, account, amount)).unwrap_err();
    }
}

/// Few names and small amounts, so that commands meet.
fn any_command() -> impl Strategy<Value = Command> {
    let client = || prop::sample::select(CLIENTS.to_vec());
    let id = || (0..6u128).prop_map(HoldId);
    let amount = || prop::sample::select(vec![-1, 0, 3, 20, 50]).prop_map(Nano);
    prop_oneof![
        ("[a-d]", client(), amount()).prop_map(|(key, account, amount)| Command::Grant {
            key,
            account,
            amount
        }),
        ("[a-d]", client(), amount()).prop_map(|(key, account, amount)| Command::TopUp {
            key,
            account,
            amount
        }),
        ("[a-d]", client(), amount()).prop_map(|(key, account, amount)| Command::Correct {
            key,
            account,
            amount
        }),
        (id(), prop::sample::select([CLIENTS, OPERATORS].concat()), amount())
            .prop_map(|(hold, account, amount)| Command::Hold { hold, account, amount }),
        (id(), amount(), 0..9i64).prop_map(|(hold, held, pay)| settle(hold.0, held.0, pay)),
        id().prop_map(|hold| Command::Void { hold }),
        id().prop_map(|hold| Command::SendOut { hold }),
        ("[a-d]", prop::collection::vec(-1..9i64, 0..3), -1..9i64)
            .prop_map(|(key, clients, reserve)| forfeit(&key, &clients, reserve)),
    ]
}

proptest! {
    #[test]
    fn money_is_neither_made_nor_lost(commands in prop::collection::vec(any_command(), 0..80)) {
        let mut books = books();
        let mut system = BTreeMap::<AccountId, i64>::new();
        let mut ended = BTreeMap::<String, u32>::new();
        for command in &commands {
            let before = books.clone();
            match apply(&mut books, command) {
                Err(_) => prop_assert_eq!(&books, &before),
                Ok(posting) if posting.repeated => prop_assert_eq!(&books, &before),
                Ok(posting) => {
                    *ended.entry(posting.key).or_default() += 1;
                    for entry in posting.entries.iter().filter(|entry| entry.account.is_system()) {
                        prop_assert_eq!(entry.bucket, Bucket::Available);
                        *system.entry(entry.account).or_default() += entry.amount.0;
                    }
                }
            }
            check(&books, &system)?;
        }
        prop_assert!(ended.values().all(|times| *times == 1), "each key posts once");
    }
}

fn check(books: &Balances, system: &BTreeMap<AccountId, i64>) -> Result<(), TestCaseError> {
    let accounts = books.accounts.values();
    prop_assert!(accounts.clone().all(|a| a.available >= Nano::ZERO && a.held >= Nano::ZERO));
    let kept: i64 = accounts.map(|account| account.available.0 + account.held.0).sum();
    prop_assert_eq!(kept + system.values().sum::<i64>(), 0);
    for (id, account) in &books.accounts {
        let open = books.holds.values().filter(|h| h.account == *id && h.state == HoldState::Open);
        prop_assert_eq!(open.map(|hold| hold.amount.0).sum::<i64>(), account.held.0);
    }
    Ok(())
}
