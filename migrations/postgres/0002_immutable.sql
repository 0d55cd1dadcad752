-- Journals and entries are never changed: a correction is a new posting.
create function refuse_change() returns trigger language plpgsql as
    $$ begin raise exception '% rows are immutable', tg_table_name; end $$;
create trigger journal_no_change before update or delete on journal for each row execute function refuse_change();
create trigger journal_no_truncate before truncate on journal execute function refuse_change();
create trigger entry_no_change before update or delete on entry for each row execute function refuse_change();
create trigger entry_no_truncate before truncate on entry execute function refuse_change();
