-- What was settled by hand is never changed.
create trigger settled_payment_no_change before update or delete on settled_payment for each row execute function refuse_change();
create trigger settled_payment_no_truncate before truncate on settled_payment execute function refuse_change();
