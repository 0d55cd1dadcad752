//! Stories through the front door: real programs, a real model, nodes that cheat. A module for each
//! feature; each story ends with a clean audit of the books.

mod agreement;
mod async_openai;
mod audits;
mod circle;
mod collusion;
mod credits;
mod deliveries;
mod expect;
mod forfeits;
mod gateways;
mod hanging_up;
mod interruptions;
mod kills;
mod leaving;
mod low_risk;
mod lying_gateways;
mod money;
mod nodes;
mod offers;
mod openai_surface;
mod outages;
mod ownership;
mod postgres;
mod protocol_abuse;
mod proven_nodes;
mod receipts;
mod restarts;
mod rounds;
mod second_opinions;
mod seeds;
mod self_tests;
mod splits;
mod spot_checks;
mod standing;
mod stopped;
mod streaming;
mod tidy;
mod top_ups;
mod trusted;
mod weak_models;
mod without_scorer;
mod zoo;
mod zoo_table;

use assay_tests::records;
