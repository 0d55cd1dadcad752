-- An audit reads seals beside the journals that they cover.
create unique index seal_by_first on seal (first);
