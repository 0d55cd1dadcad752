-- What changed where nodes stand, for every gateway; and what audits found of answers after their jobs had ended.

-- The number of the last change of where a node stands or whether it is trusted, and of an operator's payout address: from
-- one counter, in the order of the commits.
insert into counter (name, next) values ('standing', 1);
alter table node add column changed bigint not null default 0;
alter table operator add column changed bigint not null default 0;
create index node_changed on node (changed);
create index operator_changed on operator (changed);

-- How an audit that came after the end of the job found this part's answer at fault, in the words of an outcome.
alter table job_node add column late_outcome text;
alter table job_node add column late_reason text;
alter table job_node add column late_evidence text;
alter table job_node add column late_ms bigint;
