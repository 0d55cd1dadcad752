-- What keeps the ledger whole when gateways stop, and what proves that nobody changed it.

-- A run of a gateway owns its jobs as long as it renews its lease, in the database's own time.
create table lease (
    id bigint not null primary key,
    gateway text not null,
    state text not null check (state in ('held', 'lost')),
    until_ms bigint not null
);
insert into counter (name, next) values ('lease', 1);

-- Jobs from before leases have none: the gateway of that name ends them when it starts.
alter table job add column lease bigint;
-- When the job's hold ends, whatever its gateway says.
alter table job add column deadline_ms bigint;

-- How a running job would be settled if its gateway stopped now: JSON.
create table checkpoint (
    job text not null primary key references job (id),
    completion_tokens bigint not null,
    settlement text not null
);

-- How many holds are open, so that the bound on them needs no counting.
alter table balance add column holds_open bigint not null default 0 check (holds_open >= 0);
update balance set holds_open = (
    select count(*) from hold where hold.account = balance.account and hold.state = 'open');

-- What a key may spend in a day (UTC); nothing: no bound.
alter table api_key add column budget_day bigint check (budget_day >= 0);

-- What a key spent on a day: the day on which each job began.
create table key_day (
    api_key bigint not null references api_key (id),
    day bigint not null,
    jobs bigint not null,
    held bigint not null check (held >= 0),
    spent bigint not null check (spent >= 0),
    prompt_tokens bigint not null,
    completion_tokens bigint not null,
    primary key (api_key, day)
);
insert into key_day (api_key, day, jobs, held, spent, prompt_tokens, completion_tokens)
    select api_key, created_ms / 86400000, count(*),
        sum(case state when 'running' then hold else 0 end), sum(cost),
        sum(case state when 'running' then 0 else prompt_tokens end), sum(completion_tokens)
    from job group by api_key, created_ms / 86400000;

-- Numbers of journals that were given out and may not all be sealed. In each block they are committed in
-- ascending order.
create table journal_block (
    first bigint not null primary key,
    last bigint not null,
    -- The last one that is sealed; first - 1 before any.
    sealed bigint not null,
    taken_ms bigint not null
);
insert into journal_block (first, last, sealed, taken_ms)
    select 1, next - 1, 0, 0 from counter where name = 'journal' and next > 1;

-- The hash chain: each row seals the journals of a range of numbers, after the row before.
create table seal (
    number bigint not null primary key,
    first bigint not null,
    last bigint not null,
    journals bigint not null,
    -- Journals sealed so far, these included.
    height bigint not null,
    previous text not null,
    hash text not null,
    gateway text not null,
    at_ms bigint not null,
    -- The gateway's, over number, height and hash.
    signature text not null
);

-- The keys that gateways sign with, so that an audit needs nothing but the database.
create table gateway_key (
    gateway text not null primary key,
    public_key text not null
);
