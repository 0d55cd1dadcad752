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

/// An integer keeps its digits and a float has none to keep: where both could be written alike, the float is refused.
#[test]
fn no_float_is_written_like_another_integer() {
    for text in ["1e16", "9007199254740994.0", "-9.3e15", "18446744073709549568.0", "-1e19"] {
        assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
    }
    for text in ["10000000000000000", "9007199254740992.0", "18446744073709551616.0", "1e20"] {
        assert!(Json::parse(text.as_bytes()).is_ok(), "{text}");
    }
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
