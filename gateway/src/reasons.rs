//! Every stable code with what it means and what to do: why a node was paid or not, why it gets no jobs,
//! why a request was refused. An error of the API takes its code from
//! here and from nowhere else. docs/reasons.md is this table for people; tests hold the two and the wire's outcomes
//! to each other.

/// What a code is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum About {
    /// How a job ended for one node: `outcome` of its part.
    Outcome,
    /// Why a node gets jobs or none: `jobs_now.code` and `code` of a node.
    Node,
    /// Why a request was refused: `error.code`.
    Request,
}

impl About {
    /// The word in the API and the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Node => "node",
            Self::Request => "request",
        }
    }
}

macro_rules! reasons {
    ($($name:ident $about:ident $code:literal $meaning:literal $remedy:literal;)*) => {
        /// A stable code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)*
        }

        impl Reason {
            /// All of them, in the order of the document.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub fn about(self) -> About {
                match self { $(Self::$name => About::$about,)* }
            }

            /// The code itself.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// One sentence: what it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// One sentence: what to do.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

reasons! {
    Agreed Outcome "agreed" "Paid: another owner's node gave the same answer, and the model did not refute it." "Nothing.";
    Vindicated Outcome "vindicated" "Paid: others differed, and the model confirms this answer." "Nothing.";
    Passed Outcome "passed" "Paid: nobody gave the same answer, and the model confirms this one." "Nothing.";
    Trusted Outcome "trusted" "Paid: proven, asked alone, and not drawn for a check." "Nothing.";
    FailedSpotCheck Outcome "failed_spot_check" "Not paid: the model contradicts a token; the evidence names the position, both tokens and the margin." "Serve the model that the manifest names, in its precision, and change nothing of its output.";
    FailedEndCheck Outcome "failed_end_check" "Not paid: the answer ends where the model goes on, or goes on where it ends." "Let the model decide where an answer ends.";
    FailedWholeAnswer Outcome "failed_whole_answer" "Not paid: no single token is wrong, but the answer as a whole is too far from what the model draws." "Serve the model in the precision that the manifest names.";
    FailedLogits Outcome "failed_logits" "Not paid: the reported logits are not the model's, whatever the tokens are." "Report the logits that the model gave, from the runtime that the manifest names.";
    FailedLogprobs Outcome "failed_logprobs" "Not paid: the log probabilities that were told with the tokens are not the model's." "Tell the log probabilities that the model gave, before any mask, penalty or temperature.";
    FailedStructure Outcome "failed_structure" "Not paid: the answer breaks a rule that needs no model, such as a token outside of the vocabulary." "Use an unchanged node agent.";
    FailedAudit Outcome "failed_audit" "Paid, and found at fault by an audit after the job had ended: it counts as a failed check, and the pay is forfeited if the node is banned on proof." "As for what the audit found: the evidence is the audit's.";
    Left Outcome "left" "Not paid: the node took the job and then left, stalled or failed." "Keep the machine awake and connected, and offer no more slots than it can serve.";
    Violation Outcome "violation" "Not paid: the node broke the protocol and was cut off." "Update the node agent; docs/protocol.md has the rules.";
    Unverified Outcome "unverified" "Not paid, not blamed: nobody could judge this answer." "Nothing: it does not count against the node.";
    Cancelled Outcome "cancelled" "Not paid, not blamed: called off before there was anything to pay for." "Nothing.";

    Proven Node "proven" "Gets jobs: its record proves it, so it may serve alone and is checked seldom." "Nothing: with more demand, and a better record and speed, there are more.";
    Unproven Node "unproven" "Gets jobs, in groups only, and all of its answers are checked." "Answer well: the record does the rest.";
    Busy Node "busy" "Gets no more jobs now: all of its slots are taken." "Offer more slots if the machine has room.";
    Scorer Node "scorer" "Gets no jobs to answer: the gateway's operator trusts it to check others." "Nothing.";
    Offline Node "offline" "Gets no jobs: it is not connected." "Start the node agent and look at its log.";
    HelloAwaited Node "hello_awaited" "Gets no jobs yet: it has connected and has not said what it serves." "Wait some seconds; otherwise update the node agent.";
    ModelNotServed Node "model_not_served" "Gets no jobs: none of its models is one that this gateway hosts, by the manifest's hash." "Serve a model folder of this gateway: GET /v1/models names them.";
    NoScorer Node "no_scorer" "Gets no jobs yet: no scorer is connected that could test it." "Wait; whoever runs the gateway has to connect one.";
    SelfTest Node "self_test" "Gets no jobs yet: its self-test is running." "Wait: it takes seconds.";
    SelfTestFailed Node "self_test_failed" "Gets no jobs: its self-test failed, and the node's reason says how." "Serve the model that the manifest names, in its precision and runtime.";
    FailedChecks Node "failed_checks" "Gets no jobs until its quarantine ends: too many checks of its answers failed." "Find the fault before it comes back: the jobs' evidence names positions and margins.";
    BanCandidate Node "ban_candidate" "Gets no jobs until its quarantine ends, and one proven failure more bans it." "Find the fault before it comes back: the jobs' evidence names positions and margins.";
    DrainAsked Node "drain_asked" "Gets no new jobs: it is finishing and will leave." "Start the agent again when you want.";
    ProvenCheating Node "proven_cheating" "Banned: checks failed again and again, and two scorers confirmed it." "Only whoever runs the gateway can lift a ban.";
    ByAdmin Node "by_admin" "Banned by whoever runs the gateway; the node's reason says why." "Ask them.";

    InvalidApiKey Request "invalid_api_key" "The API key is missing, wrong, expired or revoked." "Send `Authorization: Bearer ak-…` with a key that is good.";
    InsufficientPermissions Request "insufficient_permissions" "The API key is not for this: it lacks the scope that the message names." "Ask for a key with that scope.";
    InvalidSession Request "invalid_session" "This needs the session of an admin or an operator, and there is none or it has ended." "Log in, or renew the session.";
    WrongSecret Request "wrong_secret" "A secret, an invitation, a token or a signature is wrong, used up or expired." "Ask for a new one.";
    InsufficientQuota Request "insufficient_quota" "The account has less credit than the request could cost." "Top up, or ask for fewer tokens or less assurance.";
    KeyBudget Request "key_budget_exceeded" "The API key may spend less than the request could cost: its budget for a day is used up. The account's credit is not." "Wait until the day ends, ask for less, or have the key's budget raised.";
    RateLimit Request "rate_limit_exceeded" "Too many requests." "Try again after the time in `retry-after`.";
    InvalidRequest Request "invalid_request" "The request is not one that the address takes: its body or its query does not read, or asks for what cannot be." "Read the message; /docs shows what is taken.";
    InvalidValue Request "invalid_value" "A field, a parameter or a header, which `param` names, has a value that is not taken." "Read the message: it says what is taken.";
    MissingParameter Request "missing_required_parameter" "A field that must be there, which `param` names, is not." "Send it.";
    BodyTimeout Request "body_timeout" "The request's body took too long to come." "Send it again, faster.";
    BodyTooLarge Request "body_too_large" "The request's body is larger than this gateway takes." "Send less: the message names the limit.";
    Internal Request "internal_error" "The gateway had an error of its own." "Try again; whoever runs the gateway finds it in the log by the `x-request-id`.";
    ContextLength Request "context_length_exceeded" "The prompt leaves no room for an answer." "Send less.";
    ModelNotFound Request "model_not_found" "The model is not served here." "GET /v1/models lists what is.";
    UnsupportedParameter Request "unsupported_parameter" "This parameter cannot be obeyed here, so it is not taken." "Leave it out: the message names it.";
    NoNodes Request "no_nodes" "No node that serves the model is connected or free." "Try again after the time in `retry-after`.";
    TooFewNodes Request "too_few_nodes" "Too few nodes of different owners are free for the assurance that was asked for." "Try again, or ask for less assurance.";
    NoScorerNow Request "no_scorer" "Nobody is connected who could check the answer." "Try again; whoever runs the gateway has to connect a scorer.";
    Overloaded Request "overloaded" "The gateway has as much to do as it takes on." "Try again after the time in `retry-after`.";
    ShuttingDown Request "shutting_down" "The gateway is stopping." "Try again in a moment.";
    StoreUnavailable Request "store_unavailable" "The gateway's database does not answer right now." "Try again in a moment.";
    NotSealed Request "not_sealed" "The receipt is not in the log yet." "Try again in a moment.";
    OtherGateway Request "other_gateway" "The receipt is another gateway's, which has not sealed it." "Ask the gateway that the message names.";
    NotVerified Request "not_verified" "No answer passed verification; nothing was charged." "Try again; whoever runs the gateway sees why.";
    Timeout Request "timeout" "No answer came in time; nothing was charged." "Try again, or ask for a shorter answer.";
    Conflict Request "conflict" "The same thing exists already, or was asked for with other content, or it is too late for it." "Read the message; use another idempotency key for another thing.";
    KeyInProgress Request "idempotency_key_in_progress" "A request with the same idempotency key is still being answered." "Try again after the time in `retry-after`: its answer is yours too.";
    KeyReused Request "idempotency_key_reused" "The idempotency key was used for another request." "Use another key for another request.";
    NotFound Request "not_found" "There is no such thing, or it is somebody else's." "Look at the list.";
    UnknownUrl Request "unknown_url" "There is no such address." "/docs shows what there is.";
    MethodNotAllowed Request "method_not_allowed" "The address does not take this method." "/docs shows what it takes.";
    PaymentsNotConfigured Request "payments_not_configured" "This gateway takes no payments." "Whoever runs it sets the keys of a payment provider.";
    PaymentsMisconfigured Request "payments_misconfigured" "The payment provider does not accept this gateway's key." "Whoever runs the gateway looks at that key and what it may do.";
    PaymentUnavailable Request "payment_unavailable" "The payment provider does not answer right now." "Try again with the same idempotency key.";
    PaymentRefused Request "payment_refused" "The payment provider refused." "Read the message.";
    TooManyTopUps Request "too_many_top_ups" "The account has as many payments open as it may." "Pay one of them, or wait until they expire: GET /v1/credits/top-ups shows them.";
    NotPaid Request "not_paid" "The payment was not made, so there is nothing to give back." "GET /v1/credits/top-ups shows which were.";
    RefundTooMuch Request "refund_too_much" "More than can be given back of this payment: credit that is used or was granted stays." "`refundable_cents` of the payment says how much can.";
    TooManyTokens Request "too_many_tokens" "The operator has as many unused enrolment tokens as it may." "Use one of them, or wait until they expire.";
    NoPayoutAddress Request "no_payout_address" "There is no address to pay to." "PUT /operator/v1/payout-address.";
    AddressChanges Request "address_changes" "The payout address was changed too often within a day." "Wait a day: the address that counts stays.";
    AddressCooling Request "address_cooling" "The payout address was changed a short time ago." "Wait until it counts; nothing is lost meanwhile.";
    TooMuch Request "too_much" "More than can be taken out now: earnings mature, and those from granted credit stay." "GET /operator/v1/earnings shows what there is.";
    WithdrawalsStopped Request "withdrawals_stopped" "No money leaves: the gateway's books do not add up, and somebody has to look first." "Try again later; nothing is lost meanwhile.";
    DayLimit Request "day_limit" "More than may be taken out within a day." "Take out less, or wait.";
}

impl Reason {
    /// The reason of this code.
    pub fn find(about: About, code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.about() == about && reason.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use assay_protocol::{Outcome, StandingCode};

    use super::*;

    #[test]
    fn the_document_has_every_code_with_its_words() {
        let document = include_str!("../../docs/reasons.md");
        let rows: Vec<String> = Reason::ALL
            .iter()
            .map(|reason| {
                let (about, code) = (reason.about().as_str(), reason.code());
                format!("| {about} | `{code}` | {} | {} |", reason.meaning(), reason.remedy())
            })
            .collect();
        let shown: Vec<&str> =
            document.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
        assert_eq!(shown, rows, "docs/reasons.md (left) and the code (right)");
    }

    #[test]
    fn codes_are_stable_words_and_each_is_there_once() {
        let mut seen = BTreeSet::new();
        for reason in Reason::ALL {
            let code = reason.code();
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
            assert!(seen.insert((reason.about().as_str(), code)), "{code} is there twice");
            assert_eq!(Reason::find(reason.about(), code), Some(*reason));
        }
    }

    #[test]
    fn every_outcome_of_the_wire_has_its_reason() {
        for outcome in Outcome::ALL {
            assert!(Reason::find(About::Outcome, outcome.as_str()).is_some(), "{outcome:?}");
        }
    }

    #[test]
    fn every_standing_of_a_node_has_its_reason() {
        for code in StandingCode::ALL {
            assert!(Reason::find(About::Node, code.as_str()).is_some(), "{code:?}");
        }
    }
}
