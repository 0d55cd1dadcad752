-- Nodes that are connected to a gateway, as that gateway sees them: it is so as long as the run's lease is held.
create table presence (
    node text not null primary key references node (id),
    lease bigint not null references lease (id),
    since_ms bigint not null,
    -- JSON.
    seen text not null
);
create index presence_of_lease on presence (lease);
