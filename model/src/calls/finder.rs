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
    /// Before anything, where a call must be the whole answer.
    Begin,
    /// In text that a call may end.
    Text,
    /// In text that ends with the answer.
    Rest,
    /// Where a function's name begins.
    Name,
    Arguments(Nesting),
    /// After the arguments.
    After,
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
        let at = if style.mark().is_some() { Place::Text } else { Place::Begin };
        Self { style, at, held: String::new(), calls: 0 }
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
            Place::Begin | Place::Rest => true,
            Place::Text => {
                let is_call =
                    self.style.mark().is_some_and(|mark| held.trim_start().starts_with(mark));
                !is_call && (self.calls == 0 || !held.trim().is_empty())
            }
            Place::Name | Place::Arguments(_) | Place::After => false,
        };
        if is_text && !held.is_empty() { vec![Piece::Text(held)] } else { Vec::new() }
    }

    /// Goes on as far as the next mark; false when more text is needed.
    fn step(&mut self, found: &mut Vec<Piece>) -> bool {
        match self.at {
            Place::Begin => self.begin(),
            Place::Text => self.text(found),
            Place::Rest => self.rest(found),
            Place::Name => self.name(found),
            Place::Arguments(nesting) => self.arguments(nesting, found),
            Place::After => self.after(),
        }
    }

    fn begin(&mut self) -> bool {
        match awaits(&self.held, &self.style.opens) {
            Awaited::Here => {
                self.held.drain(..self.style.opens.len());
                self.at = Place::Name;
            }
            Awaited::Perhaps => return false,
            Awaited::Not => self.at = Place::Rest,
        }
        true
    }

    fn text(&mut self, found: &mut Vec<Piece>) -> bool {
        let Some(mark) = self.style.mark() else { return false };
        let mut tell = |held: &mut String, end: usize| {
            let text: String = held.drain(..end).collect();
            found.extend((!text.is_empty()).then_some(Piece::Text(text)));
        };
        if let Some(at) = self.held.find(mark) {
            match awaits(&self.held[at..], &self.style.opens) {
                Awaited::Here => {
                    let blank = self.held[..at].trim_end().len();
                    let end = at + self.style.opens.len();
                    self.held.replace_range(blank..end, "");
                    tell(&mut self.held, blank);
                    self.at = Place::Name;
                    return true;
                }
                Awaited::Not => {
                    // Nothing that the grammar allows: it is text like any other.
                    tell(&mut self.held, at + mark.len());
                    return true;
                }
                Awaited::Perhaps => {
                    let sure = self.held[..at].trim_end().len();
                    tell(&mut self.held, sure);
                    return false;
                }
            }
        }
        // What may be the beginning of the mark waits, and the blanks before it: they are no content before a call.
        let lengths = (1..mark.len()).rev().filter(|length| mark.is_char_boundary(*length));
        let mut begun = lengths.filter(|length| self.held.ends_with(&mark[..*length]));
        let sure = &self.held[..self.held.len() - begun.next().unwrap_or(0)];
        let sure = sure.trim_end().len();
        tell(&mut self.held, sure);
        false
    }

    fn rest(&mut self, found: &mut Vec<Piece>) -> bool {
        let text = std::mem::take(&mut self.held);
        found.extend((!text.is_empty()).then_some(Piece::Text(text)));
        false
    }

    fn name(&mut self, found: &mut Vec<Piece>) -> bool {
        let after = &self.style.before_arguments;
        let Some((name, _)) = self.held.split_once(after.as_str()) else {
            if self.held.len() <= NAME_BYTES_MAX + after.len() {
                return false;
            }
            // No call that anybody allowed.
            let opened = match self.calls {
                0 => self.style.opens.clone(),
                _ => self.style.between.clone().unwrap_or_default(),
            };
            found.push(Piece::Text(opened));
            self.at = self.between_calls();
            return true;
        };
        let name = name.to_owned();
        self.held.drain(..name.len() + after.len());
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
        self.at = if end.is_some() { Place::After } else { Place::Arguments(nesting) };
        end.is_some()
    }

    /// Another call, or the end of the last one.
    fn after(&mut self) -> bool {
        if let Some(between) = &self.style.between {
            match awaits(&self.held, between) {
                Awaited::Here => {
                    self.held.drain(..between.len());
                    self.at = Place::Name;
                    return true;
                }
                Awaited::Perhaps => return false,
                Awaited::Not => {}
            }
        }
        let closes = &self.style.closes;
        let Some(at) = self.held.find(closes.as_str()) else { return false };
        self.held.drain(..at + closes.len());
        self.at = self.between_calls();
        true
    }

    /// What text is in that is no call.
    fn between_calls(&self) -> Place {
        if self.style.mark().is_some() { Place::Text } else { Place::Rest }
    }
}

/// Whether a text begins with what is awaited.
enum Awaited {
    Here,
    /// More of the text tells.
    Perhaps,
    Not,
}

fn awaits(text: &str, awaited: &str) -> Awaited {
    if text.starts_with(awaited) {
        Awaited::Here
    } else if awaited.starts_with(text) {
        Awaited::Perhaps
    } else {
        Awaited::Not
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
mod tests;
