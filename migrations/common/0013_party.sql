-- A client's account belongs to one operator, if to any.
create unique index account_operator_of_account on account_operator (account);
