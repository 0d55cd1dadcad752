//! Who becomes an operator, and who is let in: a secret that is replaced lets nobody in any more, not even whoever logs in with it at that very moment.

use assay_protocol::Bytes32;

use super::{admin, node, on_each_engine};
use crate::db::{
    Db, OperatorId,
    invitations::{self, NewInvitation, SignUp, SignUpError},
    logins::{self, GRACE_MS, NewLogin, RenewError},
};

const OLD: Bytes32 = Bytes32([1; 32]);

fn login(number: u8, secret_hash: Bytes32) -> NewLogin {
    NewLogin {
        family: format!("login {number}"),
        secret_hash,
        token_hash: Bytes32([number; 32]),
        created_ms: 10,
        expires_ms: 1_000,
    }
}

async fn live(db: &Db, number: u8) -> Option<OperatorId> {
    logins::live(db, &login(number, OLD).family, 20).await.unwrap()
}

#[tokio::test]
async fn a_secret_lets_its_operator_in_until_it_is_replaced() {
    on_each_engine(async |db| {
        let operator = node(db, 1).await.operator;
        assert_eq!(logins::begin(db, &login(100, OLD)).await.unwrap(), None, "nobody's secret");
        logins::set_secret(db, operator, OLD, &admin(5)).await.unwrap();
        assert_eq!(logins::begin(db, &login(101, OLD)).await.unwrap(), Some(operator));
        assert_eq!(live(db, 101).await, Some(operator));
        let new = Bytes32([2; 32]);
        logins::set_secret(db, operator, new, &admin(15)).await.unwrap();
        assert_eq!(live(db, 101).await, None);
        assert_eq!(logins::begin(db, &login(102, OLD)).await.unwrap(), None);
        assert_eq!(live(db, 102).await, None);
        assert_eq!(logins::begin(db, &login(103, new)).await.unwrap(), Some(operator));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_at_the_moment_when_its_secret_is_replaced_does_not_last() {
    on_each_engine(async |db| {
        let operator = node(db, 1).await.operator;
        for number in 1..=40 {
            let by = admin(5);
            logins::set_secret(db, operator, OLD, &by).await.unwrap();
            let (login, new) = (login(number, OLD), Bytes32([number.wrapping_add(100); 32]));
            let (began, replaced) =
                tokio::join!(logins::begin(db, &login), logins::set_secret(db, operator, new, &by));
            replaced.unwrap();
            began.unwrap();
            assert_eq!(live(db, number).await, None, "round {number}");
        }
    })
    .await;
}

/// An answer that is lost signs nobody out; a token that comes later, or after its successor was used, was stolen.
#[tokio::test]
async fn a_token_renews_again_at_once_until_the_next_one_is_used() {
    on_each_engine(async |db| {
        let operator = node(db, 1).await.operator;
        logins::set_secret(db, operator, OLD, &admin(5)).await.unwrap();
        let renew = async |used: u8, next: u8, at_ms| {
            let renewed = logins::renew(db, Bytes32([used; 32]), Bytes32([next; 32]), at_ms).await;
            renewed.map(|renewed| renewed.operator)
        };
        let begin = async |number| {
            let login = NewLogin { expires_ms: 1_000_000, ..login(number, OLD) };
            logins::begin(db, &login).await.unwrap();
        };
        begin(10).await;
        assert_eq!(renew(10, 11, 20).await.unwrap(), operator);
        assert_eq!(renew(10, 11, 20 + GRACE_MS).await.unwrap(), operator, "the answer was lost");
        assert_eq!(renew(10, 12, 25).await.unwrap(), operator, "by way of another gateway");
        assert_eq!(renew(11, 13, 30).await.unwrap(), operator);
        let stolen = renew(10, 11, 31).await;
        assert!(matches!(stolen, Err(RenewError::Reused)), "its successor was used: {stolen:?}");
        assert_eq!(live(db, 10).await, None);
        for last in [12, 13] {
            let ended = renew(last, 14, 32).await;
            assert!(matches!(ended, Err(RenewError::Ended)), "{ended:?}");
        }

        begin(20).await;
        assert_eq!(renew(20, 21, 20).await.unwrap(), operator);
        let late = renew(20, 21, 21 + GRACE_MS).await;
        assert!(matches!(late, Err(RenewError::Reused)), "{late:?}");
        assert_eq!(live(db, 20).await, None);
    })
    .await;
}

#[tokio::test]
async fn an_invitation_is_good_for_one_and_for_its_time() {
    on_each_engine(async |db| {
        let token_hash = Bytes32([7; 32]);
        let new = NewInvitation { token_hash, note: "Ada".into(), created_ms: 1, expires_ms: 100 };
        invitations::create(db, &new, &admin(1)).await.unwrap();
        let sign_up = |token_hash, now_ms| SignUp {
            token_hash,
            name: "Ada".into(),
            secret_hash: Bytes32([8; 32]),
            now_ms,
        };
        let late = invitations::sign_up(db, &sign_up(token_hash, 100)).await;
        assert!(matches!(late, Err(SignUpError::Expired)), "{late:?}");
        let unknown = invitations::sign_up(db, &sign_up(Bytes32([9; 32]), 99)).await;
        assert!(matches!(unknown, Err(SignUpError::Unknown)), "{unknown:?}");
        let operator = invitations::sign_up(db, &sign_up(token_hash, 99)).await.unwrap();
        let again = invitations::sign_up(db, &sign_up(token_hash, 99)).await;
        assert!(matches!(again, Err(SignUpError::Used)), "{again:?}");
        let login = login(110, Bytes32([8; 32]));
        assert_eq!(logins::begin(db, &login).await.unwrap(), Some(operator));
    })
    .await;
}
