//! The bounds of the wire. Each side enforces them on what the other sends.

/// Longest message that a node may send: 16 token ids with their logits need under 1 KiB.
pub const TO_GATEWAY_MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Longest message that a gateway may send: a whole prompt of ids.
pub const TO_NODE_MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Frames a second that a node may send for one job, averaged over a second.
pub const FRAMES_PER_JOB_PER_SECOND_MAX: u32 = 200;
/// How long a fresh socket may stay without a valid log-in.
pub const LOGIN_MS_MAX: u64 = 5_000;
/// Sockets that have not logged in yet, over all addresses.
pub const UNAUTHENTICATED_SOCKETS_MAX: usize = 256;
/// How long a log-in nonce stays good.
pub const NONCE_MS_MAX: u64 = 10_000;
/// How long a node may think about an offer.
pub const OFFER_MS_MAX: u64 = 500;
/// A node sends a sign of life this often.
pub const HEARTBEAT_MS: u64 = 10_000;
/// No new jobs after this long without any frame.
pub const SUSPECT_MS: u64 = 25_000;
/// The session is over after this long without any frame; its jobs move on.
pub const DEAD_MS: u64 = 35_000;
/// How long a node may go on after a cancel.
pub const CANCEL_MS_MAX: u64 = 1_000;
/// A chunk goes out when it holds this many ids …
pub const CHUNK_TOKENS_MAX: usize = 16;
/// … or when its first id has waited this long.
pub const CHUNK_WAIT_MS: u64 = 20;
/// Scored positions in one frame: about 90 bytes each, so a frame stays under 32 KiB.
pub const SCORED_POSITIONS_PER_FRAME_MAX: usize = 256;
/// … or fewer, when log probabilities come with them: up to 20 alternatives of about 22 bytes each.
pub const SCORED_LOGPROBS_PER_FRAME_MAX: usize = 64;
/// Components of vectors in one frame: about 13 bytes each, so a frame stays under 32 KiB.
pub const COMPONENTS_PER_FRAME_MAX: usize = 2_048;
/// Components of all vectors of one job: 128 frames, fewer than a node may send in a second.
pub const COMPONENTS_PER_JOB_MAX: usize = 128 * COMPONENTS_PER_FRAME_MAX;
/// A node signs its chain whenever it crosses a multiple of this many output ids.
pub const SIGN_EVERY_TOKENS: u32 = 64;
/// Reconnects wait at least this long, with jitter …
pub const RECONNECT_MS_MIN: u64 = 1_000;
/// … and at most this long.
pub const RECONNECT_MS_MAX: u64 = 30_000;
/// Models that one node may announce.
pub const MODELS_PER_NODE_MAX: usize = 32;
/// Jobs at once that one node may offer for one model; at least one.
pub const SLOTS_MAX: u32 = 256;
/// A node keeps its slot for an offer that it accepted, and waits for the start, this long.
pub const START_WAIT_MS_MAX: u64 = 30_000;
/// Longest free text (a model's name, a device's name) in a hello.
pub const NAME_BYTES_MAX: usize = 200;
