-- Tries that the payment provider answered with a failure of its own: under the same name it would repeat its answer,
-- so the next try has another one.
alter table top_up add column attempts bigint not null default 0;
alter table refund add column attempts bigint not null default 0;

-- Refunds that were made, by the time at which they were asked for: they are compared with what the provider reports.
create index refund_sent on refund (created_ms, id) where state = 'sent';
