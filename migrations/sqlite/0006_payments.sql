-- A journal's kind is what the rules of money say it is: there are more of them now. SQLite changes a
-- check only by its schema's text (https://www.sqlite.org/lang_altertable.html, section 8).
pragma writable_schema = on;
update sqlite_schema set sql = replace(sql, ' check (kind in (''grant'', ''hold'', ''settle'', ''void''))', '')
    where type = 'table' and name = 'journal';
pragma writable_schema = reset;

-- What admins did is never changed.
create trigger admin_log_no_update before update on admin_log begin select raise(abort, 'the admin log is append-only'); end;
create trigger admin_log_no_delete before delete on admin_log begin select raise(abort, 'the admin log is append-only'); end;
