-- A journal's kind is what the rules of money say it is: there are more of them now.
alter table journal drop constraint if exists journal_kind_check;

-- What admins did is never changed.
create trigger admin_log_no_change before update or delete on admin_log for each row execute function refuse_change();
create trigger admin_log_no_truncate before truncate on admin_log execute function refuse_change();
