-- Requests with an idempotency key: who works on the answer, and the answer once there is one.
create table kept_answer (
    account bigint not null references account (id),
    -- SHA-256 of the client's key, and of what it asked.
    key text not null,
    digest text not null,
    -- Whoever works on it, as long as its lease is held and the time is not over.
    owner text not null,
    lease bigint not null,
    until_ms bigint not null,
    created_ms bigint not null,
    -- What the client got; nothing while it is worked on, empty when it was too long to keep.
    answer text,
    primary key (account, key)
);
create index kept_answer_by_age on kept_answer (created_ms);
