//! The rules that a node may break.

/// A broken rule. The session ends and its jobs move on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("sent a frame that cannot be read")]
    Unreadable,
    #[error("sent a message over the size limit")]
    TooLarge,
    #[error("sent more frames a second than its jobs can need")]
    TooManyFrames,
    #[error("spoke before its hello")]
    NoHello,
    #[error("sent hello or login out of turn")]
    OutOfTurn,
    #[error("announced more models, longer names or other slots than a hello may carry")]
    HelloTooLarge,
    #[error("spoke about a job it was never offered")]
    UnknownJob,
    #[error("sent a frame that does not fit the stage of its job")]
    WrongStage,
    #[error("skipped or repeated a chunk")]
    BadSequence,
    #[error("sent a chunk whose ids and logits do not pair up, or that is empty or too long")]
    WrongChunk,
    #[error("sent more tokens than the job may have")]
    TooManyTokens,
    #[error("sent a token id outside the vocabulary")]
    IdOutOfRange,
    #[error("sent a number that is not finite")]
    NotFinite,
    #[error("counted its own tokens wrongly")]
    WrongCount,
    #[error("ended an answer as told although nobody told it")]
    NotTold,
    #[error("sent a signature that does not hold")]
    BadSignature,
    #[error("left out the signature that is due at every 64th token")]
    Unsigned,
    #[error("told log probabilities that cannot be, more or fewer than the job asks for")]
    WrongLogprobs,
    #[error("sent vectors that are too short, too long, or not one for each input")]
    WrongVectors,
    #[error("sent the wrong number of scored positions")]
    WrongPositions,
}
