//! What is a call in a text, however it comes.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::TextModel;

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { name: name.into(), arguments: arguments.into() }
}

fn tagged() -> CallStyle {
    static STYLE: LazyLock<CallStyle> =
        LazyLock::new(|| TextModel::demo().call_style().cloned().expect("a style"));
    STYLE.clone()
}

fn read(text: &str) -> Said {
    Said::read(text, Some(tagged()))
}

const TWO: &str = "Let me look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"a}\\\"{b\", \
    \"days\": [1, {\"x\": 2}]}}\n</tool_call>\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>";

#[test]
fn text_and_calls_are_told_apart() {
    let said = read(TWO);
    assert_eq!(said.content, "Let me look.");
    let first = call("weather", r#"{"city": "a}\"{b", "days": [1, {"x": 2}]}"#);
    assert_eq!(said.calls, [first, call("now", "{}")]);
    let plain = "a < b <tool_ca and \n\n";
    assert_eq!(read(plain), Said { content: plain.into(), calls: Vec::new() });
    assert_eq!(Said::read(TWO, None).content, TWO);
}

#[test]
fn what_is_cut_is_told_as_far_as_it_came() {
    let cut = &TWO[..TWO.find("days").unwrap()];
    assert_eq!(read(cut).calls, [call("weather", "{\"city\": \"a}\\\"{b\", \"")]);
    assert_eq!(read("<tool_call>\n{\"name\": \"wea"), Said::default());
}

#[test]
fn what_is_no_call_stays_text() {
    let text = "say <tool_call> twice";
    assert_eq!(read(text).content.replace(' ', ""), text.replace(' ', ""));
    let long = format!("<tool_call>\n{{\"name\": \"{}", "x".repeat(200));
    assert_eq!(read(&long).content, long);
}

proptest! {
    #[test]
    fn however_it_is_cut_the_same_is_found(
        text in prop::sample::select(vec![TWO, "a\n<tool_", "x <tool_call> y\n", " \n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"ü\": \"é\"}}\n</tool_call>\n"]),
        cuts in prop::collection::vec(0usize..300, 0..12),
    ) {
        let mut finder = CallFinder::new(tagged());
        let mut said = Said::default();
        let mut begin = 0;
        let mut ends: Vec<usize> =
            cuts.into_iter().filter(|at| text.is_char_boundary(*at) && *at < text.len()).collect();
        ends.sort_unstable();
        for end in ends.into_iter().chain([text.len()]) {
            finder.push(&text[begin..end]).into_iter().for_each(|piece| said.take(piece));
            begin = end;
        }
        finder.finish().into_iter().for_each(|piece| said.take(piece));
        prop_assert_eq!(said, read(text));
    }
}
