//! Finds calls in an answer's text as it comes, and tells them from what is meant for people.

use super::{CallStyle, ToolCall};

/// Longest name of a function; what is longer was no call.
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// What is new in an answer. Calls are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// For people; never empty.
    Text(String),
    /// A call begins: the function is known, its arguments are to come.
    Call { index: u32, name: String },
    /// More of a call's arguments; never empty.
    Arguments { index: u32, text: String },
}

/// Reads an answer of a model that may call functions. However the text is cut into pieces, what is found is the same.
#[derive(Clone, Debug)]
pub struct CallFinder {
    style: CallStyle,
    at: Place,
    /// Not told yet: more of the text decides what it is.
    held: String,
    /// Calls that began.
    calls: u32,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Text,
    /// After the mark that opens a call.
    Head,
    Arguments(Nesting),
    /// After the arguments.
    Tail,
}

/// Where in a JSON object.
#[derive(Clone, Copy, Debug, Default)]
struct Nesting {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl CallFinder {
    pub fn new(style: CallStyle) -> Self {
        Self { style, at: Place::Text, held: String::new(), calls: 0 }
    }

    /// Takes more text.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        self.held.push_str(text);
        let mut found = Vec::new();
        while self.step(&mut found) {}
        found
    }

    /// What was held back, once nothing more comes. A call that has no name yet is none.
    pub fn finish(&mut self) -> Vec<Piece> {
        let held = std::mem::take(&mut self.held);
        let is_text = match self.at {
            Place::Text => self.calls == 0 || !held.trim().is_empty(),
            Place::Head | Place::Arguments(_) | Place::Tail => false,
        };
        if is_text && !held.is_empty() { vec![Piece::Text(held)] } else { Vec::new() }
    }

    /// Goes on as far as the next mark; false when more text is needed.
    fn step(&mut self, found: &mut Vec<Piece>) -> bool {
        match self.at {
            Place::Text => self.text(found),
            Place::Head => self.head(found),
            Place::Arguments(nesting) => self.arguments(nesting, found),
            Place::Tail => self.tail(),
        }
    }

    fn text(&mut self, found: &mut Vec<Piece>) -> bool {
        let opens = self.style.opens();
        if let Some(at) = self.held.find(opens) {
            let before = self.held[..at].trim_end().to_owned();
            self.held.drain(..at + opens.len());
            found.extend((!before.is_empty()).then_some(Piece::Text(before)));
            self.at = Place::Head;
            return true;
        }
        // What may be the beginning of the mark waits, and the blanks before it: they are no content before a call.
        let lengths = (1..opens.len()).rev();
        let mut begun = lengths.filter(|length| self.held.ends_with(&opens[..*length]));
        let sure = &self.held[..self.held.len() - begun.next().unwrap_or(0)];
        let sure = sure.trim_end().len();
        let text: String = self.held.drain(..sure).collect();
        found.extend((!text.is_empty()).then_some(Piece::Text(text)));
        false
    }

    fn head(&mut self, found: &mut Vec<Piece>) -> bool {
        let (before, after) = (self.style.before_name(), self.style.before_arguments());
        let begins = self.held.len().min(before.len());
        if self.held.as_bytes()[..begins] != before.as_bytes()[..begins] {
            return self.was_no_call(found);
        }
        let Some(rest) = self.held.strip_prefix(before) else { return false };
        let Some((name, _)) = rest.split_once(after) else {
            let too_long = rest.len() > NAME_BYTES_MAX + after.len();
            return too_long && self.was_no_call(found);
        };
        let name = name.to_owned();
        self.held.drain(..before.len() + name.len() + after.len());
        found.push(Piece::Call { index: self.calls, name });
        self.calls += 1;
        self.at = Place::Arguments(Nesting::default());
        true
    }

    fn arguments(&mut self, mut nesting: Nesting, found: &mut Vec<Piece>) -> bool {
        let end = self.held.bytes().position(|byte| nesting.ends_with(byte));
        let text: String = self.held.drain(..end.map_or(self.held.len(), |at| at + 1)).collect();
        let index = self.calls.saturating_sub(1);
        found.extend((!text.is_empty()).then_some(Piece::Arguments { index, text }));
        self.at = if end.is_some() { Place::Tail } else { Place::Arguments(nesting) };
        end.is_some()
    }

    fn tail(&mut self) -> bool {
        let closes = self.style.closes();
        let Some(at) = self.held.find(closes) else { return false };
        self.held.drain(..at + closes.len());
        self.at = Place::Text;
        true
    }

    /// Nothing that the grammar allows: it is text like any other.
    fn was_no_call(&mut self, found: &mut Vec<Piece>) -> bool {
        found.push(Piece::Text(self.style.opens().to_owned()));
        self.at = Place::Text;
        true
    }
}

impl Nesting {
    /// Takes a byte; true if the object ends with it. All that has a meaning is ASCII, and no byte of another
    /// character looks like it.
    fn ends_with(&mut self, byte: u8) -> bool {
        match (self.in_string, byte) {
            (true, _) if self.escaped => self.escaped = false,
            (true, b'\\') => self.escaped = true,
            (_, b'"') => self.in_string = !self.in_string,
            (true, _) => {}
            (false, b'{' | b'[') => self.depth += 1,
            (false, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            (false, _) => {}
        }
        false
    }
}

/// A whole answer, as it is told to its client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub content: String,
    pub calls: Vec<ToolCall>,
}

impl Said {
    /// What this text says; without a style all of it is content.
    pub fn read(text: &str, style: Option<CallStyle>) -> Self {
        let Some(style) = style else {
            return Self { content: text.to_owned(), calls: Vec::new() };
        };
        let mut finder = CallFinder::new(style);
        let mut said = Self::default();
        finder.push(text).into_iter().for_each(|piece| said.take(piece));
        finder.finish().into_iter().for_each(|piece| said.take(piece));
        said
    }

    /// Goes on by a piece.
    pub fn take(&mut self, piece: Piece) {
        match piece {
            Piece::Text(text) => self.content.push_str(&text),
            Piece::Call { name, .. } => {
                self.calls.push(ToolCall { name, arguments: String::new() });
            }
            Piece::Arguments { text, .. } => {
                if let Some(call) = self.calls.last_mut() {
                    call.arguments.push_str(&text);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(name: &str, arguments: &str) -> ToolCall {
        ToolCall { name: name.into(), arguments: arguments.into() }
    }

    fn read(text: &str) -> Said {
        Said::read(text, Some(CallStyle::Tagged))
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
            let mut finder = CallFinder::new(CallStyle::Tagged);
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
}
