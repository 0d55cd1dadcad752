-- What an audit rests on, in base64: its hash is in the log, the client gets it.
alter table audit add column evidence text;
