-- The founding tables, one text for SQLite and PostgreSQL: bigint and text only.
-- Amounts are nano-credits, times are Unix milliseconds, yes is 1 and no is 0, hashes and ids are
-- lower-case text.

create table setting (
    key text not null primary key,
    value text not null
);

-- Numbers that were given out, by noun. Journals take theirs in blocks.
create table counter (
    name text not null primary key,
    next bigint not null
);
insert into counter (name, next) values ('account', 1001), ('api_key', 1), ('operator', 1),
    ('journal', 1), ('admin_log', 1);

create table account (
    id bigint not null primary key,
    kind text not null check (kind in ('client', 'operator', 'system')),
    name text not null,
    created_ms bigint not null,
    check ((kind = 'system') = (id <= 1000))
);
insert into account (id, kind, name, created_ms) values (1, 'system', 'outside', 0),
    (2, 'system', 'fee', 0), (3, 'system', 'reserve', 0), (4, 'system', 'promotion', 0);

-- System accounts have no row here: their balance is the sum of their entries, so no row is hot.
create table balance (
    account bigint not null primary key references account (id) check (account > 1000),
    available bigint not null check (available >= 0),
    held bigint not null check (held >= 0)
);

create table api_key (
    id bigint not null primary key,
    account bigint not null references account (id),
    name text not null,
    prefix text not null,
    hash text not null unique,
    risk text not null,
    created_ms bigint not null,
    expires_ms bigint,
    revoked_ms bigint
);
create index api_key_of_account on api_key (account, id);

create table operator (
    id bigint not null primary key,
    account bigint not null unique references account (id),
    name text not null,
    created_ms bigint not null
);

create table node (
    id text not null primary key,
    public_key text not null unique,
    operator bigint not null references operator (id),
    name text not null,
    trusted bigint not null check (trusted in (0, 1)),
    standing text not null check (standing in ('enrolled', 'banned')),
    reason text not null,
    created_ms bigint not null,
    last_seen_ms bigint
);
create index node_of_operator on node (operator, id);

-- One-time tokens. A spent one names its node.
create table enrolment (
    token_hash text not null primary key,
    operator bigint not null references operator (id),
    created_ms bigint not null,
    expires_ms bigint not null,
    node text references node (id)
);

-- Money. Journals and entries are never changed (see the triggers).
create table journal (
    id bigint not null primary key,
    key text not null unique,
    kind text not null check (kind in ('grant', 'hold', 'settle', 'void')),
    digest text not null,
    note text not null,
    at_ms bigint not null
);

-- No reference to the account: PostgreSQL would lock the fee account's row for every job. The rules of
-- money know the account, and the audit looks.
create table entry (
    journal bigint not null references journal (id),
    account bigint not null,
    bucket text not null check (bucket in ('available', 'held')),
    amount bigint not null check (amount <> 0),
    primary key (journal, account, bucket)
);
create index entry_of_account on entry (account, journal);

create table hold (
    id text not null primary key,
    account bigint not null references account (id),
    amount bigint not null check (amount >= 0),
    state text not null check (state in ('open', 'settled', 'voided'))
);
create index hold_open on hold (account) where state = 'open';

create table job (
    id text not null primary key references hold (id),
    gateway text not null,
    account bigint not null references account (id),
    api_key bigint not null references api_key (id),
    model text not null,
    policy text not null,
    prompt_tokens bigint not null,
    max_tokens bigint not null,
    hold bigint not null,
    created_ms bigint not null,
    state text not null check (state in ('running', 'succeeded', 'cancelled', 'failed')),
    -- From here on: known once it has ended.
    finish text,
    completion_tokens bigint not null,
    rounds bigint not null,
    cost bigint not null,
    fee bigint not null,
    reserve bigint not null,
    returned bigint not null,
    reason text not null,
    verdict text,
    ended_ms bigint,
    end_digest text,
    check ((state = 'running') = (ended_ms is null)),
    check ((state = 'running') = (end_digest is null)),
    check (state = 'running' or cost + returned = hold)
);
create index job_by_time on job (created_ms, id);
create index job_of_account on job (account, created_ms, id);
create index job_running on job (gateway, created_ms) where state = 'running';

-- A node may have several parts: later, a scorer may look at more than one answer.
create table job_node (
    job text not null references job (id),
    part bigint not null,
    round bigint not null,
    role text not null check (role in ('generate', 'score')),
    node text not null references node (id),
    outcome text not null,
    reason text not null,
    evidence text not null,
    tokens bigint not null,
    pay bigint not null check (pay >= 0),
    elapsed_ms bigint not null,
    primary key (job, part)
);
create index job_node_of_node on job_node (node, job);

-- Decayed sums of verified checks, in millionths.
create table reputation (
    node text not null references node (id),
    model text not null,
    passes_micro bigint not null check (passes_micro >= 0),
    failures_micro bigint not null check (failures_micro >= 0),
    updated_ms bigint not null,
    primary key (node, model)
);

create table admin_log (
    id bigint not null primary key,
    at_ms bigint not null,
    actor text not null,
    action text not null,
    subject text not null,
    detail text not null
);
