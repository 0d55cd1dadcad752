//! OpenAI's words for why an answer ends.

use assay_protocol::Finish;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    Stop,
    Length,
    ToolCalls,
    /// It is vectors, one for each input.
    Embedded,
}

impl FinishReason {
    /// Why an answer ends for its client, with calls of functions in it or without.
    pub fn of(finish: Finish, has_calls: bool) -> Self {
        match finish {
            Finish::Length => Self::Length,
            Finish::Stop if has_calls => Self::ToolCalls,
            Finish::Stop | Finish::Told => Self::Stop,
            Finish::Embedded => Self::Embedded,
        }
    }

    /// The word in responses, in the store and in what receipts bind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::Embedded => "embedded",
        }
    }
}
