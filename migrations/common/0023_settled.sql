-- What a person found out about money that came or went past the gateway: something that a comparison with the provider named,
-- and so many cents in or out of an account for it, or none.
create table settled_payment (
    -- As the comparison names it.
    reference text not null primary key,
    account bigint references account (id),
    cents bigint not null,
    note text not null,
    at_ms bigint not null,
    check (cents = 0 or account is not null)
);
