-- The gateway's log: receipts and whatever else it has to stand by. An entry waits until the sealer gives it its
-- place; after that it never changes.
create table log_entry (
    gateway text not null,
    -- Made by whoever writes the entry; the same one twice is one entry.
    key text not null,
    -- The bytes that are hashed, in base64.
    entry text not null,
    -- Of an answer's entry: the gateway's signature and what it signs, in base64.
    receipt text,
    position bigint,
    primary key (gateway, key)
);
create unique index log_entry_by_position on log_entry (gateway, position);
create index log_entry_waiting on log_entry (gateway, key) where position is null;

-- Full tiles: 256 hashes of one level each, in base64.
create table log_tile (
    gateway text not null,
    level bigint not null,
    number bigint not null,
    hashes text not null,
    primary key (gateway, level, number)
);

-- The last checkpoint that was signed. It is stored before anybody sees it, so that no restart can fork the log.
create table log_head (
    gateway text not null primary key,
    size bigint not null,
    note text not null
);
