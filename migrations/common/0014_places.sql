-- An entry that waits has no place to be looked up by: it is in this index once, when it gets one.
drop index log_entry_by_position;
create unique index log_entry_by_position on log_entry (gateway, position) where position is not null;
