//! Where a session's node stands when it says hello or drains; everything later is its checks' word.

use assay_protocol::{Hello, NodeStanding, NodeState, StandingCode};
use tracing::info;

use super::Session;

impl Session {
    pub(super) fn greet(&mut self, hello: Hello) {
        let known = hello.models.iter().any(|served| {
            let hosted = self.app.catalog.get(&served.id);
            hosted.is_some_and(|hosted| hosted.text.manifest_hash == served.manifest_hash)
        });
        self.app.nodes.greet(self.login.identity.node, hello);
        if known {
            self.stand(
                NodeState::Testing,
                StandingCode::SelfTest,
                "to be tested before its first job",
            );
        } else {
            self.stand(
                NodeState::Testing,
                StandingCode::ModelNotServed,
                "none of its models is served here in the same version; compare the manifest hash",
            );
        }
    }

    pub(super) fn stand(&self, state: NodeState, code: StandingCode, reason: &str) {
        let node = self.login.identity.node;
        info!(%node, state = state.as_str(), code = code.as_str(), reason, "node state");
        let standing = NodeStanding { state, code, reason: reason.to_owned(), until_ms: None };
        self.app.nodes.stand(node, standing);
    }
}
