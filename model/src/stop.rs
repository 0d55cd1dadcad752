//! Finds a client's stop strings in text as it streams, and never hands out the beginning of one.

use std::mem;

/// Looks for the stop string that is complete first; of two that end together, the longer.
#[derive(Clone, Debug)]
pub struct StopFinder {
    stops: Vec<String>,
    /// Text not handed out yet: it ends in what may be the beginning of a stop string.
    held: String,
    done: bool,
}

/// What a piece of text led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Text that is safe to hand out; may be empty.
    Text(String),
    /// The text before the stop string, which ends the answer. Whatever is pushed later is dropped.
    Stop(String),
}

impl StopFinder {
    /// Empty strings stop nothing.
    pub fn new(stops: Vec<String>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
        Self { stops, held: String::new(), done: false }
    }

    /// Adds text. The result does not depend on how the text was cut into pieces.
    pub fn push(&mut self, text: &str) -> Found {
        if self.done {
            return Found::Text(String::new());
        }
        self.held.push_str(text);
        if let Some(start) = self.first_stop() {
            self.done = true;
            let mut text = mem::take(&mut self.held);
            text.truncate(start);
            return Found::Stop(text);
        }
        let tail = self.held.split_off(self.safe_len());
        Found::Text(mem::replace(&mut self.held, tail))
    }

    /// What is still held back when the answer ends by itself.
    pub fn finish(&mut self) -> String {
        self.done = true;
        mem::take(&mut self.held)
    }

    /// Where the first complete stop string begins.
    fn first_stop(&self) -> Option<usize> {
        self.stops
            .iter()
            .filter_map(|stop| self.held.find(stop).map(|start| (start + stop.len(), start)))
            .min()
            .map(|(_, start)| start)
    }

    /// How much of the held text cannot be part of a stop string.
    fn safe_len(&self) -> usize {
        let may_begin_a_stop = |start: &usize| {
            let tail = &self.held[*start..];
            self.stops.iter().any(|stop| stop.starts_with(tail))
        };
        let longest = self.stops.iter().map(String::len).max().unwrap_or(0);
        self.held
            .char_indices()
            .map(|(start, _)| start)
            .filter(|start| self.held.len() - start < longest)
            .find(may_begin_a_stop)
            .unwrap_or(self.held.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finder(stops: &[&str]) -> StopFinder {
        StopFinder::new(stops.iter().map(|stop| (*stop).to_owned()).collect())
    }

    fn whole(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut finder = finder(stops);
        let mut text = String::new();
        for piece in pieces {
            match finder.push(piece) {
                Found::Text(more) => text += &more,
                Found::Stop(more) => return (text + &more, true),
            }
        }
        (text + &finder.finish(), false)
    }

    #[test]
    fn a_stop_string_is_found_over_the_border_of_two_pieces_and_not_handed_out() {
        let mut finder = finder(&["\nUser:"]);
        assert_eq!(finder.push("Hi.\nUs"), Found::Text("Hi.".into()));
        assert_eq!(finder.push("er: you"), Found::Stop(String::new()));
        assert_eq!(finder.push("more"), Found::Text(String::new()));
        assert_eq!(finder.finish(), "");
    }

    #[test]
    fn held_text_that_turns_out_harmless_is_handed_out() {
        let mut finder = finder(&["abcd"]);
        assert_eq!(finder.push("xab"), Found::Text("x".into()));
        assert_eq!(finder.push("abc"), Found::Text("ab".into()));
        assert_eq!(finder.finish(), "abc");
    }

    #[test]
    fn the_stop_that_is_complete_first_counts() {
        assert_eq!(whole(&["abc", "b"], &["xabc"]), ("xa".into(), true));
        assert_eq!(whole(&["b", "ab"], &["xab"]), ("x".into(), true));
        assert_eq!(whole(&["", "é"], &["caf", "é!"]), ("caf".into(), true));
        assert_eq!(whole(&[], &["all ", "of it"]), ("all of it".into(), false));
    }

    proptest! {
        #[test]
        fn how_the_text_is_cut_changes_nothing(
            stops in prop::collection::vec("[ab€]{1,4}", 0..3),
            pieces in prop::collection::vec("[abc€]{0,4}", 0..12),
        ) {
            let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
            let cut: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let text = pieces.concat();
            let uncut = whole(&stops, &[&text]);
            prop_assert_eq!(&whole(&stops, &cut), &uncut);
            prop_assert!(text.starts_with(&uncut.0));
            let has_stop = stops.iter().any(|stop| text.contains(stop));
            prop_assert_eq!(uncut.1, has_stop);
            prop_assert!(!stops.iter().any(|stop| uncut.1 && uncut.0.contains(stop)));
        }
    }
}
