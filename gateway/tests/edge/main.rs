//! The gateway's edge through its router: who gets in, what is refused and how it is said, what admins
//! see and change. No node is connected; answers of nodes are tested from outside.

mod admin;
mod clients;
mod command_line;
mod connections;
mod credits;
mod document;
mod gateway;
mod keys;
mod log;
mod nodes;
mod operators;
mod refusals;
