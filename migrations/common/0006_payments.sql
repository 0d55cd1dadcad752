-- Money from outside and to outside, and the people it goes to.

insert into counter (name, next) values ('invitation', 1);

-- A payment that a client was asked for. Amounts that cross the border are whole US cents.
create table top_up (
    id text not null primary key,
    account bigint not null references account (id),
    -- Made by the client: the same key asks for the same payment.
    client_key text not null,
    cents bigint not null check (cents > 0),
    state text not null check (state in ('creating', 'open', 'paid', 'expired', 'failed')),
    reason text not null,
    -- The provider's names for it: the page where it is paid, and the payment itself.
    session text unique,
    url text,
    payment text,
    -- The key under which it is credited.
    payment_key text unique,
    created_ms bigint not null,
    paid_ms bigint,
    unique (account, client_key),
    check ((state = 'paid') = (paid_ms is not null)),
    check ((state = 'paid') <= (payment_key is not null))
);
create index top_up_of_account on top_up (account, created_ms, id);
create index top_up_waiting on top_up (created_ms) where state in ('creating', 'open');

-- Unused credit on its way back to where it came from. Its id names its hold.
create table refund (
    id text not null primary key references hold (id),
    top_up text not null references top_up (id),
    account bigint not null references account (id),
    client_key text not null,
    cents bigint not null check (cents > 0),
    state text not null check (state in ('held', 'sent', 'failed')),
    reason text not null,
    -- The provider's name for it.
    reference text,
    created_ms bigint not null,
    ended_ms bigint,
    unique (account, client_key),
    check ((state = 'held') = (ended_ms is null))
);
create index refund_of_account on refund (account, created_ms, id);
create index refund_of_top_up on refund (top_up);
create index refund_waiting on refund (created_ms) where state = 'held';

-- A secret with which an operator logs in; one counts at a time.
create table operator_login (
    operator bigint not null primary key references operator (id),
    secret_hash text not null unique,
    created_ms bigint not null
);

create table invitation (
    id bigint not null primary key,
    token_hash text not null unique,
    note text not null,
    created_ms bigint not null,
    expires_ms bigint not null,
    operator bigint references operator (id)
);

-- A log-in and everything that was renewed from it. A token that is used twice ends all of it.
create table login_family (
    id text not null primary key,
    operator bigint not null references operator (id),
    created_ms bigint not null,
    expires_ms bigint not null,
    revoked_ms bigint,
    reason text not null
);
create index login_family_of_operator on login_family (operator, created_ms);

create table refresh_token (
    token_hash text not null primary key,
    family text not null references login_family (id),
    created_ms bigint not null,
    used_ms bigint
);

-- Every address that an operator ever named; the last one counts, from `usable_ms` on.
create table payout_address (
    operator bigint not null references operator (id),
    number bigint not null,
    address text not null,
    set_ms bigint not null,
    usable_ms bigint not null,
    primary key (operator, number)
);
create index payout_address_by_address on payout_address (address);

-- Earnings on their way out. Its id names its hold.
create table withdrawal (
    id text not null primary key references hold (id),
    operator bigint not null references operator (id),
    account bigint not null references account (id),
    client_key text not null,
    amount bigint not null check (amount > 0),
    address text not null,
    rail text not null,
    state text not null check (state in
        ('awaiting_approval', 'approved', 'exported', 'sent', 'failed', 'rejected', 'cancelled')),
    reason text not null,
    reference text,
    created_ms bigint not null,
    changed_ms bigint not null,
    ended_ms bigint,
    unique (operator, client_key),
    check ((state in ('awaiting_approval', 'approved', 'exported')) = (ended_ms is null))
);
create index withdrawal_of_operator on withdrawal (operator, created_ms, id);
create index withdrawal_by_state on withdrawal (state, created_ms, id);

-- What a job brought an operator, and how much of it was paid from money that came from outside: only that
-- can leave again. Written once for each job that paid, some time after it ended.
create table earning (
    job text not null references job (id),
    operator bigint not null references operator (id),
    amount bigint not null check (amount >= 0),
    withdrawable bigint not null check (withdrawable >= 0 and withdrawable <= amount),
    ended_ms bigint not null,
    primary key (job, operator)
);
create index earning_of_operator on earning (operator, ended_ms);

-- How much of a client's granted credit its jobs have used up; granted credit is used first.
create table promotion_used (
    account bigint not null primary key references account (id),
    amount bigint not null check (amount >= 0)
);

-- A client's account that belongs to an operator: it never gets that operator's nodes.
create table account_operator (
    account bigint not null references account (id),
    operator bigint not null references operator (id),
    primary key (account, operator)
);

create index journal_grant on journal (id) where kind = 'grant';
create index job_ended on job (ended_ms, id) where ended_ms is not null;
