//! What was granted never leaves, whatever way it takes.

use assay_ledger::{Command, Nano};

use super::{client, job, node, on_each_engine, success, topped_up};
use crate::db::{earnings, jobs, refunds, top_ups, writer::Request};

const CENT: i64 = 10_000_000;

/// Granted credit pays a cheat, credit that was paid in pays somebody honest, the cheat's pay comes back: it is granted
/// credit as before, or the same money would leave twice.
#[tokio::test]
async fn what_a_cheat_forfeits_of_granted_credit_is_granted_credit_again() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(2 * CENT)).await;
        let top_up = topped_up(db, ada.account, 2).await;
        let [cheat, honest] = [node(db, 1).await, node(db, 2).await];
        for (number, paid) in [(1, &cheat), (2, &honest)] {
            let new = job(&ada, number, Nano(2 * CENT));
            jobs::open(db, &new).await.unwrap();
            let end = success(&new, Nano(2 * CENT), std::slice::from_ref(paid), 1);
            jobs::end(db, &end).await.unwrap();
            earnings::sweep(db, end.ended_ms, 100).await.unwrap();
        }
        let clients = vec![(ada.account, Nano(18 * CENT / 10))];
        let (key, from) = ("a ban".to_owned(), cheat.account);
        let command = Command::Forfeit { key, from, clients, reserve: Nano::ZERO };
        db.write(Request::Post { command, note: String::new(), at_ms: 1 }).await.unwrap();

        let row = top_ups::find(db, &top_up).await.unwrap().unwrap();
        assert_eq!(refunds::unused(db, ada.account).await.unwrap().left_of(&row), 0);
    })
    .await;
}
