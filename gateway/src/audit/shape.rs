//! Whether a journal moves money as its kind does, and not otherwise.

use assay_ledger::{AccountId, Bucket, PostingKind};

/// What the entries of one journal look like so far. One that moves nothing fits every kind: a free job's.
#[derive(Debug)]
pub(super) struct Shape {
    kind: PostingKind,
    /// Whoever pays, and whether an entry is of nobody that may be in it.
    payer: Option<AccountId>,
    owned: Option<AccountId>,
    strange: bool,
}

impl Shape {
    pub(super) fn of(kind: PostingKind) -> Self {
        Self { kind, payer: None, owned: None, strange: false }
    }

    /// Takes the next entry, in any order.
    pub(super) fn take(&mut self, account: AccountId, bucket: Bucket, amount: i64) {
        let fits = match amount {
            ..0 => self.may_pay(account, bucket) && self.payer.replace(account).is_none(),
            0 => false,
            1.. => self.may_get(account, bucket),
        };
        self.strange |= !fits;
        if !account.is_system() && self.is_one_owners() {
            self.strange |= self.owned.replace(account).is_some_and(|other| other != account);
        }
    }

    pub(super) fn fits(&self) -> bool {
        !self.strange
    }

    /// Whether all but the system's accounts must be one: a settlement pays others, and so does a forfeit.
    fn is_one_owners(&self) -> bool {
        match self.kind {
            PostingKind::Settle | PostingKind::Forfeit => false,
            PostingKind::Grant
            | PostingKind::TopUp
            | PostingKind::Correct
            | PostingKind::Hold
            | PostingKind::Void
            | PostingKind::SendOut => true,
        }
    }

    fn may_pay(&self, account: AccountId, bucket: Bucket) -> bool {
        match self.kind {
            PostingKind::Grant => (account, bucket) == (AccountId::PROMOTION, Bucket::Available),
            PostingKind::TopUp => (account, bucket) == (AccountId::OUTSIDE, Bucket::Available),
            PostingKind::Correct => {
                let is_one = !account.is_system() || account == AccountId::OUTSIDE;
                is_one && bucket == Bucket::Available
            }
            PostingKind::Hold | PostingKind::Forfeit => {
                !account.is_system() && bucket == Bucket::Available
            }
            PostingKind::Settle | PostingKind::Void | PostingKind::SendOut => {
                !account.is_system() && bucket == Bucket::Held
            }
        }
    }

    fn may_get(&self, account: AccountId, bucket: Bucket) -> bool {
        let owned = !account.is_system();
        match self.kind {
            PostingKind::Hold => owned && bucket == Bucket::Held,
            PostingKind::Grant | PostingKind::TopUp | PostingKind::Void => {
                owned && bucket == Bucket::Available
            }
            PostingKind::Correct => {
                let is_one = !account.is_system() || account == AccountId::OUTSIDE;
                is_one && bucket == Bucket::Available
            }
            PostingKind::Settle => {
                let system = [AccountId::FEE, AccountId::RESERVE].contains(&account);
                (owned || system) && bucket == Bucket::Available
            }
            PostingKind::SendOut => (account, bucket) == (AccountId::OUTSIDE, Bucket::Available),
            PostingKind::Forfeit => {
                (owned || account == AccountId::RESERVE) && bucket == Bucket::Available
            }
        }
    }
}
