
-- The database's own time.
create view clock as select cast(unixepoch('subsec') * 1000 as bigint) as now_ms;

create trigger seal_no_update before update on seal begin select raise(abort, 'seals are immutable'); end;
create trigger seal_no_delete before delete on seal begin select raise(abort, 'seals are immutable'); end;
