-- Rows that are locked so that two gateways do not count the same thing twice.
insert into counter (name, next) values ('withdrawal', 1), ('earning', 1);
