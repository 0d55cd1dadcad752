-- Where nodes stand, what their checks say of them, and how audits are drawn.

-- Nodes that are out: for a while, or for good. Without a row a node is enrolled, no more.
create table node_standing (
    node text not null primary key references node (id),
    -- A stable word, and a sentence for the node's operator.
    code text not null,
    reason text not null,
    -- The end of a quarantine; nothing for a ban.
    until_ms bigint,
    at_ms bigint not null
);

-- The ban test and what goes with it, beside the evidence; in millionths.
alter table reputation add column cusum_micro bigint not null default 0;
alter table reputation add column checks_due_micro bigint not null default 0;
alter table reputation add column proofs bigint not null default 0;

-- Secrets that audits are drawn with. The commitment is public before the epoch, the secret after it.
create table audit_epoch (
    gateway text not null,
    number bigint not null,
    secret text not null,
    commitment text not null,
    from_ms bigint not null,
    to_ms bigint not null check (to_ms > from_ms),
    primary key (gateway, number)
);

-- What was drawn: the first columns are written before the draw, the others after it.
create table audit (
    job text not null references job (id),
    round bigint not null,
    gateway text not null,
    epoch bigint not null,
    -- The last link of the agreed answer's salted hash chain.
    answer_hash text not null,
    -- How likely the audit was, in millionths, and what that rests on (JSON).
    q_ppm bigint not null check (q_ppm >= 0 and q_ppm <= 1000000),
    inputs text not null,
    at_ms bigint not null,
    drawn bigint,
    result text,
    ended_ms bigint,
    primary key (job, round),
    foreign key (gateway, epoch) references audit_epoch (gateway, number)
);
create index audit_of_epoch on audit (gateway, epoch, at_ms);
