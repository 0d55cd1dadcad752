-- What was forfeited and earned, and the keys that seals are signed with, are never changed.
create trigger forfeit_no_change before update or delete on forfeit for each row execute function refuse_change();
create trigger forfeit_no_truncate before truncate on forfeit execute function refuse_change();
create trigger forfeit_refund_no_change before update or delete on forfeit_refund for each row execute function refuse_change();
create trigger forfeit_refund_no_truncate before truncate on forfeit_refund execute function refuse_change();
create trigger earning_no_change before update or delete on earning for each row execute function refuse_change();
create trigger earning_no_truncate before truncate on earning execute function refuse_change();
create trigger gateway_key_no_change before update or delete on gateway_key for each row execute function refuse_change();
create trigger gateway_key_no_truncate before truncate on gateway_key execute function refuse_change();

-- Rows that say where money is go on to another state, and never away.
create function refuse_removal() returns trigger language plpgsql as
    $$ begin raise exception '% rows are never removed', tg_table_name; end $$;
create trigger account_no_delete before delete on account for each row execute function refuse_removal();
create trigger account_no_truncate before truncate on account execute function refuse_removal();
create trigger hold_no_delete before delete on hold for each row execute function refuse_removal();
create trigger hold_no_truncate before truncate on hold execute function refuse_removal();
create trigger balance_no_delete before delete on balance for each row execute function refuse_removal();
create trigger balance_no_truncate before truncate on balance execute function refuse_removal();
create trigger job_no_delete before delete on job for each row execute function refuse_removal();
create trigger job_no_truncate before truncate on job execute function refuse_removal();
create trigger job_node_no_delete before delete on job_node for each row execute function refuse_removal();
create trigger job_node_no_truncate before truncate on job_node execute function refuse_removal();
create trigger key_day_no_delete before delete on key_day for each row execute function refuse_removal();
create trigger key_day_no_truncate before truncate on key_day execute function refuse_removal();
create trigger top_up_no_delete before delete on top_up for each row execute function refuse_removal();
create trigger top_up_no_truncate before truncate on top_up execute function refuse_removal();
create trigger refund_no_delete before delete on refund for each row execute function refuse_removal();
create trigger refund_no_truncate before truncate on refund execute function refuse_removal();
create trigger withdrawal_no_delete before delete on withdrawal for each row execute function refuse_removal();
create trigger withdrawal_no_truncate before truncate on withdrawal execute function refuse_removal();
