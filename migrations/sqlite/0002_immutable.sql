-- Journals and entries are never changed: a correction is a new posting.
create trigger journal_no_update before update on journal begin select raise(abort, 'journals are immutable'); end;
create trigger journal_no_delete before delete on journal begin select raise(abort, 'journals are immutable'); end;
create trigger entry_no_update before update on entry begin select raise(abort, 'entries are immutable'); end;
create trigger entry_no_delete before delete on entry begin select raise(abort, 'entries are immutable'); end;
