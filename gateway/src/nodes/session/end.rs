//! Why a session is over, and what the node is told.

use std::time::Duration;

use assay_protocol::{CloseCode, limits};

use super::super::{conduct::Violation, handle::LostReason};

/// Why a session is over.
pub(super) enum End {
    /// We say why, and how soon the node may come back.
    Close { code: CloseCode, reason: String, retry_after: Option<Duration>, lost: LostReason },
    /// Nobody is there to be told.
    Gone(LostReason),
}

impl End {
    pub(super) fn close(
        code: CloseCode,
        reason: &str,
        retry_after: Option<Duration>,
        lost: LostReason,
    ) -> Self {
        Self::Close { code, reason: reason.to_owned(), retry_after, lost }
    }

    pub(super) fn violation(violation: Violation) -> Self {
        Self::close(
            CloseCode::Violation,
            &format!("the node {violation}"),
            Some(Duration::from_millis(limits::RECONNECT_MS_MAX)),
            LostReason::Violation(violation),
        )
    }
}
