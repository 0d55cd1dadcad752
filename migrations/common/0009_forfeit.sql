-- What makes pay mature, and what proven cheats forfeit.

-- The weight of the check that this part passed, in millionths: later ones make earlier pay mature.
alter table job_node add column checked_micro bigint not null default 0 check (checked_micro >= 0);
-- When the model refuted this part's answer, if that was after it was paid.
alter table job_node add column refuted_ms bigint;
create index job_node_refuted on job_node (node, job) where refuted_ms is not null;

-- A node's immature pay, taken from its operator's account when it was banned on proof. Its journal's key is
-- `forfeit:`, the node, `:` and the time; none where the account was empty.
create table forfeit (
    node text not null references node (id),
    at_ms bigint not null,
    account bigint not null references account (id),
    -- All that was immature; more than was taken where the operator had less.
    immature bigint not null check (immature >= 0),
    to_clients bigint not null check (to_clients >= 0),
    to_reserve bigint not null check (to_reserve >= 0),
    primary key (node, at_ms),
    check (to_clients + to_reserve <= immature)
);

-- What clients got back of jobs that the model refuted after they were paid; over all forfeits never more than the job's
-- price.
create table forfeit_refund (
    node text not null,
    at_ms bigint not null,
    job text not null references job (id),
    amount bigint not null check (amount > 0),
    primary key (node, at_ms, job),
    foreign key (node, at_ms) references forfeit (node, at_ms)
);
create index forfeit_refund_of_job on forfeit_refund (job);
