-- What was settled by hand is never changed.
create trigger settled_payment_no_update before update on settled_payment begin select raise(abort, 'settled_payment rows are immutable'); end;
create trigger settled_payment_no_delete before delete on settled_payment begin select raise(abort, 'settled_payment rows are immutable'); end;
