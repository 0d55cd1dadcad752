//! The kinds of nodes: one honest, the others not.

use clap::ValueEnum;

/// What a node does with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Behaviour {
    /// Says what the model says.
    Honest,
    /// Makes tokens up, as many as the honest answer has.
    Random,
    /// Stops half-way and forges the end.
    Truncate,
    /// Goes on past the end, for pay.
    Pad,
    /// Changes one token in the middle.
    Edit,
    /// Draws with a seed of its own.
    IgnoreSeed,
    /// Gives one prepared answer to everything.
    Canned,
    /// Counts one token more than it sent.
    WrongCount,
    /// Sends a chunk whose logits are fewer than its ids.
    WrongSize,
    /// Sends frames as fast as it can.
    Flood,
    /// Sends text that is no frame.
    Garbage,
    /// Sends one frame that is far too long.
    Oversized,
    /// Sends the honest answer under a signature that does not hold.
    BadSignature,
    /// Breaks its connection half-way.
    Vanish,
    /// Says nothing any more half-way, and stays.
    Stall,
    /// Refuses every offer.
    Refuse,
    /// Answers no offer, neither way.
    Silent,
    /// Writes on whatever the gateway says: hears no finish and no cancel.
    Deaf,
    /// Sends no signature before the last one.
    SkipSignature,
}
