-- Why a job failed, as programs read it: a code of docs/reasons.md. Jobs that did not fail have none, nor have those that ended
-- before this.
alter table job add column code text;
