-- What was forfeited and earned, and the keys that seals are signed with, are never changed.
create trigger forfeit_no_update before update on forfeit begin select raise(abort, 'forfeit rows are immutable'); end;
create trigger forfeit_no_delete before delete on forfeit begin select raise(abort, 'forfeit rows are immutable'); end;
create trigger forfeit_refund_no_update before update on forfeit_refund begin select raise(abort, 'forfeit_refund rows are immutable'); end;
create trigger forfeit_refund_no_delete before delete on forfeit_refund begin select raise(abort, 'forfeit_refund rows are immutable'); end;
create trigger earning_no_update before update on earning begin select raise(abort, 'earning rows are immutable'); end;
create trigger earning_no_delete before delete on earning begin select raise(abort, 'earning rows are immutable'); end;
create trigger gateway_key_no_update before update on gateway_key begin select raise(abort, 'gateway_key rows are immutable'); end;
create trigger gateway_key_no_delete before delete on gateway_key begin select raise(abort, 'gateway_key rows are immutable'); end;

-- Rows that say where money is go on to another state, and never away. (Replacing a row removes one: the store's
-- connections have recursive_triggers on, without which SQLite would replace rows past these.)
create trigger account_no_delete before delete on account begin select raise(abort, 'account rows are never removed'); end;
create trigger hold_no_delete before delete on hold begin select raise(abort, 'hold rows are never removed'); end;
create trigger balance_no_delete before delete on balance begin select raise(abort, 'balance rows are never removed'); end;
create trigger job_no_delete before delete on job begin select raise(abort, 'job rows are never removed'); end;
create trigger job_node_no_delete before delete on job_node begin select raise(abort, 'job_node rows are never removed'); end;
create trigger key_day_no_delete before delete on key_day begin select raise(abort, 'key_day rows are never removed'); end;
create trigger top_up_no_delete before delete on top_up begin select raise(abort, 'top_up rows are never removed'); end;
create trigger refund_no_delete before delete on refund begin select raise(abort, 'refund rows are never removed'); end;
create trigger withdrawal_no_delete before delete on withdrawal begin select raise(abort, 'withdrawal rows are never removed'); end;
