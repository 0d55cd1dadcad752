
-- The database's own time.
create view clock as select cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as now_ms;

create trigger seal_no_change before update or delete on seal for each row execute function refuse_change();
create trigger seal_no_truncate before truncate on seal execute function refuse_change();
