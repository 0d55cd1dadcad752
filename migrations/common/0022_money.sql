-- What is counted before there may be one more of it: unused tokens of an operator, open payments of an account.
create index enrolment_unused on enrolment (operator, expires_ms) where node is null;
create index top_up_open on top_up (account) where state in ('creating', 'open');
-- Credited payments, by the time at which they were asked for: they are compared with what the provider reports.
create index top_up_paid on top_up (created_ms, id) where state = 'paid';
