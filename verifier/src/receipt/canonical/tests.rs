//! The one spelling of JSON: the specification's examples, and what holds for any text.

use proptest::prelude::*;

use super::*;

fn canonical(text: &str) -> String {
    Json::parse(text.as_bytes()).unwrap().canonical()
}

/// The examples of RFC 8785, sections 3.2.2 and 3.2.3, and its appendix B.
#[test]
fn the_examples_of_the_specification_hold() {
    let given = r#"{ "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false] }"#;
    let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
    assert_eq!(canonical(given), expected);
    let keys = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
    let order = ["\\r", "1", "\u{80}", "ö", "€", "😀", "\u{fb33}"];
    let found = canonical(keys);
    let places: Vec<_> = order.iter().map(|key| found.find(key).unwrap()).collect();
    assert!(places.is_sorted(), "{found}");
}

#[test]
fn numbers_have_one_spelling() {
    for (given, expected) in [
        ("1.0", "1"),
        ("-0.0", "0"),
        ("1e2", "100"),
        ("0.7", "0.7"),
        ("-1.5e-7", "-1.5e-7"),
        ("123456.5", "123456.5"),
        ("0.00000123", "0.00000123"),
        ("1e21", "1e+21"),
        ("123456789012345680000.0", "123456789012345680000"),
        ("9007199254740993", "9007199254740993"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("5e-324", "5e-324"),
    ] {
        assert_eq!(canonical(given), expected, "{given}");
    }
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    for text in [r#"{"a":1,"a":1}"#, r#"{"b":[{"a":1,"\u0061":2}]}"#, "[1,]", "{} {}", ""] {
        assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
    }
}

/// A float is spelled as the integer that it is, not by its own shortest digits: those may be another integer's.
#[test]
fn a_float_that_is_an_integer_is_spelled_as_that_one() {
    for (given, expected) in [
        ("1e+18", "1000000000000000000"),
        ("1e16", "10000000000000000"),
        ("9007199254740992.0", "9007199254740992"),
        ("-9.3e15", "-9300000000000000"),
        ("-9223372036854775808.0", "-9223372036854775808"),
        ("18446744073709549568.0", "18446744073709549568"),
        ("1.844674407370955e+19", "18446744073709549568"),
        // Beyond the integers of 64 bits, all are floats.
        ("-1e19", "-10000000000000000000"),
        ("18446744073709551616", "18446744073709552000"),
        ("1e20", "100000000000000000000"),
    ] {
        assert_eq!(canonical(given), expected, "{given}");
    }
    assert!(Json::parse(b"1e400").is_err());
}

proptest! {
    #[test]
    fn the_canonical_form_is_its_own_and_says_the_same(value in any::<f64>(), text in ".{0,20}") {
        prop_assume!(Number::of(value).is_some());
        let json = Json::Object(vec![
            ("n".into(), Json::Number(Number::of(value).unwrap())),
            ("t".into(), Json::Text(text)),
        ]);
        let written = json.canonical();
        let read = Json::parse(written.as_bytes()).unwrap();
        prop_assert_eq!(read.canonical(), written);
        prop_assert_eq!(&read.get("n").unwrap().as_f64(), &Some(value));
        prop_assert_eq!(read.get("t"), json.get("t"));
    }

    #[test]
    fn no_text_whatever_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Json::parse(&bytes);
    }
}
