-- How each node's record came to be what it is.

-- Checks that counted, since there is a history.
alter table reputation add column checks bigint not null default 0;

-- What each of them added, and the sums after it; in millionths.
create table reputation_check (
    node text not null references node (id),
    model text not null,
    -- From 1.
    number bigint not null,
    job text not null references job (id),
    at_ms bigint not null,
    pass_micro bigint not null check (pass_micro >= 0),
    fail_micro bigint not null check (fail_micro >= 0),
    passes_micro bigint not null check (passes_micro >= 0),
    failures_micro bigint not null check (failures_micro >= 0),
    primary key (node, model, number)
);
create index reputation_check_of_node on reputation_check (node, at_ms);
