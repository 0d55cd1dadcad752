//! Receipts, their files, requests, responses and pinned keys: read without a panic, and written again the same.

#![no_main]

use assay_verifier::{
    Receipt, Trust,
    receipt::{Bundle, Request, Saved, check},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(receipt) = Receipt::decode(bytes) {
        assert_eq!(receipt.encode(), bytes);
    }
    if let Ok(bundle) = Bundle::decode(bytes) {
        assert_eq!(bundle.encode(), bytes);
        assert!(check(&bundle, None, None, &Trust::of(Vec::new())).is_err());
    }
    if let Ok(request) = Request::parse(bytes) {
        let canonical = request.json.canonical();
        let again = Request::parse(canonical.as_bytes()).expect("what is written can be read");
        assert_eq!(again.digest(), request.digest());
    }
    let _ = Saved::parse(bytes);
    let _ = Trust::parse(bytes);
});
