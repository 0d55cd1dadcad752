//! Everything of a receipt that a stranger may send.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| assay_verifier::fuzz::receipts(bytes));
