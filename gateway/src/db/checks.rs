//! What an audit asks: everything that was posted, and whatever the rows say that the postings do not.

mod snapshot;

use super::{Statement, statement::statements};

pub use snapshot::{BalanceRow, Counts, JournalRow, Snapshot};

statements! { "checks";
    // No order is asked for within a journal: that would sort each of them. Whoever reads puts them in order.
    plain JOURNALS = "select id, key, kind, digest, note, at_ms,
            coalesce(string_agg(account || ' ' || bucket || ' ' || amount, ','), '') as entries
        from (select id, key, kind, digest, note, at_ms from journal
            where id > $1 order by id limit $2) as page
        left join entry on entry.journal = page.id
        group by id, key, kind, digest, note, at_ms order by id";
    plain BLOCKS = "select sealed, last from journal_block order by first";
    plain BALANCES = "select account, available, held from balance
        where account > $1 order by account limit $2";
    plain COUNTS = "select (select count(*) from entry) as entries,
        (select count(*) from hold) as holds,
        (select count(*) from hold where state = 'open') as holds_open,
        (select count(*) from job) as jobs";
    plain ORPHAN_ENTRY = "select cast(journal as text) as subject from entry
        where not exists (select 1 from journal where journal.id = entry.journal)
        order by journal limit 1";
    plain HELD = "select cast(balance.account as text) as subject from balance
        left join (select account, sum(amount) as amount from hold where state = 'open' group by account)
            as open on open.account = balance.account
        where balance.held <> coalesce(open.amount, 0) order by balance.account limit 1";
    plain HOLDS_OPEN = "select cast(balance.account as text) as subject from balance
        left join (select account, count(*) as holds from hold where state = 'open' group by account)
            as open on open.account = balance.account
        where balance.holds_open <> coalesce(open.holds, 0) order by balance.account limit 1";
    plain HOLD_BEGUN = "select hold.id as subject from hold
        left join journal on journal.key = 'hold:' || hold.id and journal.kind = 'hold'
        left join entry on entry.journal = journal.id and entry.account = hold.account
            and entry.bucket = 'held'
        where journal.id is null or coalesce(entry.amount, 0) <> hold.amount
        order by hold.id limit 1";
    plain HOLD_ENDED = "select hold.id as subject from hold
        left join journal on journal.key = 'end:' || hold.id
        left join entry on entry.journal = journal.id and entry.account = hold.account
            and entry.bucket = 'held'
        where case coalesce(journal.kind, 'none')
            when 'none' then hold.state <> 'open'
            when 'settle' then hold.state <> 'settled' or coalesce(entry.amount, 0) <> -hold.amount
            when 'send_out' then hold.state <> 'settled' or coalesce(entry.amount, 0) <> -hold.amount
            when 'void' then hold.state <> 'voided' or coalesce(entry.amount, 0) <> -hold.amount
            else true end
        order by hold.id limit 1";
    plain HOLD_MISSING = "select journal.key as subject from journal
        where kind in ('hold', 'settle', 'void', 'send_out') and not exists (
            select 1 from hold
            where hold.id = substr(journal.key, case journal.kind when 'hold' then 6 else 5 end))
        order by journal.id limit 1";
    // A hold is of a job, or of money on its way out.
    plain JOB_OF_HOLD = "select hold.id as subject from hold left join job on job.id = hold.id
        where (job.id is null or job.account <> hold.account or job.hold <> hold.amount
                or (job.state = 'running') <> (hold.state = 'open'))
            and not exists (select 1 from refund where refund.id = hold.id)
            and not exists (select 1 from withdrawal where withdrawal.id = hold.id)
        order by hold.id limit 1";
    plain REFUND_OF_HOLD = "select refund.id as subject from refund left join hold on hold.id = refund.id
        left join journal on journal.key = 'end:' || refund.id
        left join journal as back on back.key = 'top_up:refund:' || refund.id and back.kind = 'top_up'
        left join entry on entry.journal = back.id and entry.account = refund.account
        where hold.id is null or refund.account <> hold.account or refund.cents * 10000000 <> hold.amount
            or (refund.state = 'held') <> (hold.state = 'open')
            or (refund.state = 'sent' or back.id is not null) <> (coalesce(journal.kind, 'none') = 'send_out')
            or (back.id is not null
                and (refund.state <> 'failed' or coalesce(entry.amount, 0) <> refund.cents * 10000000))
        order by refund.id limit 1";
    plain WITHDRAWAL_OF_HOLD = "select withdrawal.id as subject from withdrawal
        left join hold on hold.id = withdrawal.id
        left join journal on journal.key = 'end:' || withdrawal.id
        where hold.id is null or withdrawal.account <> hold.account or withdrawal.amount <> hold.amount
            or (withdrawal.ended_ms is null) <> (hold.state = 'open')
            or (withdrawal.state = 'sent') <> (coalesce(journal.kind, 'none') = 'send_out')
        order by withdrawal.id limit 1";
    plain TOP_UP_AS_POSTED = "select top_up.id as subject from top_up
        left join journal on journal.key = 'top_up:' || top_up.payment_key and journal.kind = 'top_up'
        left join entry on entry.journal = journal.id and entry.account = top_up.account
        where (top_up.state = 'paid') <> (journal.id is not null)
            or (top_up.state = 'paid' and coalesce(entry.amount, 0) <> top_up.cents * 10000000)
        order by top_up.id limit 1";
    plain TOP_UP_MISSING = "select journal.key as subject from journal where kind = 'top_up'
        and not exists (select 1 from top_up where top_up.payment_key = substr(journal.key, 8))
        and not (substr(journal.key, 1, 14) = 'top_up:refund:'
            and exists (select 1 from refund where refund.id = substr(journal.key, 15)))
        order by journal.id limit 1";
    // A day whose sums and whose jobs cancel out.
    plain KEY_DAY = "select cast(api_key as text) || ' on day ' || cast(day as text) as subject from (
            select api_key, day, jobs, held, spent, prompt_tokens, completion_tokens from key_day
            union all
            select api_key, created_ms / 86400000, -count(*),
                -sum(case state when 'running' then hold else 0 end), -sum(cost),
                -sum(case state when 'running' then 0 else prompt_tokens end), -sum(completion_tokens)
            from job group by api_key, created_ms / 86400000) as days
        group by api_key, day
        having sum(jobs) <> 0 or sum(held) <> 0 or sum(spent) <> 0
            or sum(prompt_tokens) <> 0 or sum(completion_tokens) <> 0
        order by api_key, day limit 1";
    plain JOB_ADDS_UP = "select job.id as subject from job
        left join (select job, sum(pay) as paid from job_node group by job) as parts
            on parts.job = job.id
        where state <> 'running'
            and (coalesce(parts.paid, 0) + fee + reserve <> cost or cost + returned <> hold)
        order by job.id limit 1";
    plain JOB_AS_POSTED = "select job.id as subject from job
        join journal on journal.key = 'end:' || job.id
        left join entry as fee on fee.journal = journal.id and fee.account = 2
        left join entry as reserve on reserve.journal = journal.id and reserve.account = 3
        left join entry as back on back.journal = journal.id and back.account = job.account
            and back.bucket = 'available'
        where coalesce(fee.amount, 0) <> job.fee or coalesce(reserve.amount, 0) <> job.reserve
            or coalesce(back.amount, 0) <> job.returned
        order by job.id limit 1";
    plain PAY_AS_POSTED = "select parts.job as subject from (
            select job, operator.account, sum(pay) as pay from job_node
            join node on node.id = job_node.node join operator on operator.id = node.operator
            group by job, operator.account) as parts
        join journal on journal.key = 'end:' || parts.job
        left join entry on entry.journal = journal.id and entry.account = parts.account
        where parts.pay <> coalesce(entry.amount, 0)
        order by parts.job limit 1";
    plain FORFEIT_AS_POSTED = "select forfeit.node || ':' || cast(forfeit.at_ms as text) as subject from forfeit
        left join journal on journal.kind = 'forfeit'
            and journal.key = 'forfeit:' || forfeit.node || ':' || cast(forfeit.at_ms as text)
        left join entry as taken on taken.journal = journal.id and taken.account = forfeit.account
        left join entry as kept on kept.journal = journal.id and kept.account = 3
        where coalesce(taken.amount, 0) <> -(forfeit.to_clients + forfeit.to_reserve)
            or coalesce(kept.amount, 0) <> forfeit.to_reserve
            or forfeit.to_clients <> coalesce((select sum(amount) from forfeit_refund as refunded
                where refunded.node = forfeit.node and refunded.at_ms = forfeit.at_ms), 0)
        order by forfeit.node, forfeit.at_ms limit 1";
    plain FORFEIT_MISSING = "select journal.key as subject from journal where kind = 'forfeit'
        and not exists (select 1 from forfeit
            where journal.key = 'forfeit:' || forfeit.node || ':' || cast(forfeit.at_ms as text))
        order by journal.id limit 1";
    plain FORFEIT_REFUND = "select parts.node || ':' || cast(parts.at_ms as text) as subject from (
            select forfeit_refund.node, forfeit_refund.at_ms, job.account, sum(amount) as amount
            from forfeit_refund join job on job.id = forfeit_refund.job
            group by forfeit_refund.node, forfeit_refund.at_ms, job.account) as parts
        left join journal
            on journal.key = 'forfeit:' || parts.node || ':' || cast(parts.at_ms as text)
        left join entry on entry.journal = journal.id and entry.account = parts.account
        where parts.amount <> coalesce(entry.amount, 0)
        order by parts.node, parts.at_ms limit 1";
    plain FORFEIT_PRICE = "select job.id as subject from job
        join (select job, sum(amount) as amount from forfeit_refund group by job) as back
            on back.job = job.id
        where back.amount > job.cost order by job.id limit 1";
}

/// A question that must have no answer.
#[derive(Debug)]
pub struct Check {
    /// Stable, for machines.
    pub code: &'static str,
    /// What is wrong with the subject that it finds.
    pub wrong: &'static str,
    statement: &'static Statement,
}

/// Entries beyond those of all journals.
pub static ORPHANS: Check = check("orphan_entry", "has entries but is no journal", &ORPHAN_ENTRY);
/// Holds that were posted, beyond those that there are.
pub static MISSING: Check =
    check("hold_missing", "is posted for a hold that has no row", &HOLD_MISSING);

/// Each looks at one moment for itself. The first of them that finds something is told.
pub static CHECKS: [Check; 17] = [
    check("held", "has held what its open holds are not", &HELD),
    check("holds_open", "counts open holds that there are not", &HOLDS_OPEN),
    check("hold_begun", "was not posted as its row says", &HOLD_BEGUN),
    check("hold_ended", "did not end once, as its row says", &HOLD_ENDED),
    check("job_of_hold", "is a hold that its job does not match", &JOB_OF_HOLD),
    check("refund_of_hold", "is a refund that its hold does not match", &REFUND_OF_HOLD),
    check(
        "withdrawal_of_hold",
        "is a withdrawal that its hold does not match",
        &WITHDRAWAL_OF_HOLD,
    ),
    check("top_up_as_posted", "is a top-up that was not posted as its row says", &TOP_UP_AS_POSTED),
    check("top_up_missing", "is posted for a top-up that has no row", &TOP_UP_MISSING),
    check("job_adds_up", "has paid + fee + reserve + returned unlike held", &JOB_ADDS_UP),
    check("job_as_posted", "has fee, reserve or return unlike its entries", &JOB_AS_POSTED),
    check("key_day", "is a key whose jobs make other sums", &KEY_DAY),
    check("pay_as_posted", "has pay unlike its entries", &PAY_AS_POSTED),
    check(
        "forfeit_as_posted",
        "is a forfeit that was not posted as its row says",
        &FORFEIT_AS_POSTED,
    ),
    check("forfeit_missing", "is posted for a forfeit that has no row", &FORFEIT_MISSING),
    check("forfeit_refund", "gave clients back unlike its entries", &FORFEIT_REFUND),
    check("forfeit_price", "gave its client back more than it cost", &FORFEIT_PRICE),
];

const fn check(code: &'static str, wrong: &'static str, statement: &'static Statement) -> Check {
    Check { code, wrong, statement }
}
