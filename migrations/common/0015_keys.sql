-- What an API key may be used for, where it came from, and when it was used last.
alter table api_key add column scopes text not null default 'inference credits.read credits.write';
-- The names of the models that it may ask, a line each; none: all.
alter table api_key add column models text not null default '';
alter table api_key add column last_used_ms bigint;
alter table api_key add column rotated_from bigint references api_key (id);

-- Of an account with many movements, those by which granted credit comes back are found by their kind.
create index journal_forfeit on journal (id) where kind = 'forfeit';
