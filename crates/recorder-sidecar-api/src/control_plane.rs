//! What the sidecar says to a control plane, and what it takes for an answer. `docs/control-plane.md` is the contract.
//!
//! No message holds a payload, an envelope or a receipt: a control plane decides who may ask, and has no part in what
//! is recorded. Answers are read strictly; one that is odd in any way is none.

use recorder_core::identity::{RecorderId, is_forbidden};
use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::identity::Identity;
use crate::wire::read;

/// Where admission is asked, below the control plane's URL.
pub const ADMISSION_PATH: &str = "/v1/enterprise/sidecar/admission";

/// Where hooks are sent, below the control plane's URL.
pub const HOOKS_PATH: &str = "/v1/enterprise/sidecar/hooks";

/// Bytes of an answer: many times what any of them needs.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Characters of the words that a denial may bring along.
pub const DENIAL_DETAIL_CHARS_MAX: usize = 512;

/// A request, as the control plane hears of it.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// The sidecar's name for the request, which every answer repeats.
    pub server_correlation_id: String,
    /// The recorder that was asked.
    pub recorder_id: RecorderId,
    /// What it was asked for, by the name of the contract.
    pub operation: &'static str,
    /// Whether that records.
    pub is_mutating: bool,
    /// Who asks.
    pub identity: Identity,
}

/// The question before a request is worked on.
#[derive(Debug, Serialize)]
pub struct AdmissionRequest<'a> {
    /// The request.
    #[serde(flatten)]
    pub subject: &'a Subject,
    /// Bytes of its body as its sender states them; `null` where there is no body, or no statement.
    pub body_bytes: Option<u64>,
    /// Whether its sender asserts that it holds the writer lease.
    pub asserts_writer_lease: bool,
}

/// Whether a request is admitted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is.
    Allow,
    /// It is not.
    Deny,
}

/// Why a request is denied.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialReason {
    /// Its sender may not do that.
    Policy,
    /// Its sender, or the tenant, has had as much as it may.
    Quota,
}

/// What the control plane knows of the writer lease.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WriterLease {
    /// The sender holds it.
    Held,
    /// Somebody else does, or nobody.
    NotHeld,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdmissionAnswer {
    server_correlation_id: String,
    #[serde(deserialize_with = "word")]
    decision: Decision,
    #[serde(default, deserialize_with = "word_or_null")]
    reason: Option<DenialReason>,
    detail: Option<String>,
    #[serde(default, deserialize_with = "word_or_null")]
    writer_lease: Option<WriterLease>,
}

/// Reads a word as text and as nothing else: serde takes `{"allow": null}` for `"allow"` too.
fn word<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(String::deserialize(deserializer)?.into_deserializer())
}

/// The same, or `null`.
fn word_or_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| T::deserialize(text.into_deserializer())).transpose()
}

/// What was decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Admission {
    /// The request is admitted.
    Allowed {
        /// Whether its sender is confirmed to hold the writer lease.
        holds_writer_lease: bool,
    },
    /// It is not.
    Denied {
        /// Why.
        reason: DenialReason,
        /// The control plane's words for the sender.
        detail: Option<String>,
    },
}

/// Why an answer is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OddAnswer {
    /// Not an object of exactly the members that it must and may have.
    #[error("its answer is not of the expected form")]
    Form,
    /// About another request or another moment.
    #[error("its answer is to another question")]
    Astray,
    /// Members that contradict each other, or words that are no text to show.
    #[error("its answer contradicts itself")]
    Contradiction,
}

impl Admission {
    /// Reads the answer to the question about a request.
    ///
    /// # Errors
    ///
    /// `OddAnswer`.
    pub fn parse(body: &[u8], server_correlation_id: &str) -> Result<Self, OddAnswer> {
        let answer: AdmissionAnswer = read(body).map_err(|_| OddAnswer::Form)?;
        if answer.server_correlation_id != server_correlation_id {
            return Err(OddAnswer::Astray);
        }
        let is_shown = |text: &String| {
            text.chars().count() <= DENIAL_DETAIL_CHARS_MAX && !text.chars().any(is_forbidden)
        };
        match (answer.decision, answer.reason, answer.detail) {
            (Decision::Allow, None, None) => {
                let holds_writer_lease = answer.writer_lease == Some(WriterLease::Held);
                Ok(Self::Allowed { holds_writer_lease })
            }
            (Decision::Deny, Some(reason), detail) if detail.as_ref().is_none_or(is_shown) => {
                Ok(Self::Denied { reason, detail })
            }
            _ => Err(OddAnswer::Contradiction),
        }
    }
}

/// The two moments of a request that a control plane is told of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// It is admitted, and nothing of it has been done.
    Admission,
    /// It has been worked on, and has not been answered.
    Result,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is admitted; the rest is to come.
    Admitted,
    /// It was done.
    Succeeded,
    /// It was refused, and nothing was recorded for it.
    Refused,
    /// It may have been recorded.
    Unknown,
}

/// What a control plane is told.
#[derive(Debug, Serialize)]
pub struct Hook<'a> {
    /// The request.
    #[serde(flatten)]
    pub subject: &'a Subject,
    /// The moment.
    pub boundary: Boundary,
    /// What became of it.
    pub outcome: Outcome,
    /// The HTTP status that it is going to be answered; `null` at admission.
    pub status: Option<u16>,
    /// The problem code; `null` unless it is refused.
    pub code: Option<&'static str>,
    /// Whether the answer was given before, to the same request.
    pub is_replay: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HookAnswer {
    server_correlation_id: String,
    #[serde(deserialize_with = "word")]
    boundary: Boundary,
}

impl Hook<'_> {
    /// Reads the answer to it: that it was taken.
    ///
    /// # Errors
    ///
    /// `OddAnswer`.
    pub fn check_answer(&self, body: &[u8]) -> Result<(), OddAnswer> {
        let answer: HookAnswer = read(body).map_err(|_| OddAnswer::Form)?;
        match answer.server_correlation_id == self.subject.server_correlation_id
            && answer.boundary == self.boundary
        {
            true => Ok(()),
            false => Err(OddAnswer::Astray),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::NAMESPACE;

    fn parsed(body: &str) -> Result<Admission, OddAnswer> {
        Admission::parse(body.as_bytes(), "1-2")
    }

    #[test]
    fn an_admission_is_allowed_or_denied_with_a_reason() {
        for (body, holds_writer_lease) in [
            (r#"{"server_correlation_id":"1-2","decision":"allow"}"#, false),
            (r#"{"server_correlation_id":"1-2","decision":"allow","writer_lease":"held"}"#, true),
            (
                r#"{"server_correlation_id":"1-2","decision":"allow","writer_lease":"not_held"}"#,
                false,
            ),
            (r#"{"decision":"allow","reason":null,"server_correlation_id":"1-2"}"#, false),
        ] {
            assert_eq!(parsed(body), Ok(Admission::Allowed { holds_writer_lease }), "{body}");
        }
        let denied = |reason, detail: Option<&str>| {
            Ok(Admission::Denied { reason, detail: detail.map(str::to_owned) })
        };
        assert_eq!(
            parsed(r#"{"server_correlation_id":"1-2","decision":"deny","reason":"policy"}"#),
            denied(DenialReason::Policy, None)
        );
        assert_eq!(
            parsed(
                r#"{"server_correlation_id":"1-2","decision":"deny","reason":"quota","detail":"10 of 10"}"#
            ),
            denied(DenialReason::Quota, Some("10 of 10"))
        );
    }

    #[test]
    fn an_answer_that_is_odd_in_any_way_is_none() {
        let long = "a".repeat(DENIAL_DETAIL_CHARS_MAX + 1);
        let deny = |detail: &str| {
            format!(
                r#"{{"server_correlation_id":"1-2","decision":"deny","reason":"quota","detail":"{detail}"}}"#
            )
        };
        for (body, odd) in [
            ("", OddAnswer::Form),
            ("null", OddAnswer::Form),
            ("true", OddAnswer::Form),
            ("[]", OddAnswer::Form),
            (r#"["1-2","allow",null,null,null]"#, OddAnswer::Form),
            ("{}", OddAnswer::Form),
            (r#"{"decision":"allow"}"#, OddAnswer::Form),
            (r#"{"server_correlation_id":"1-2"}"#, OddAnswer::Form),
            (r#"{"server_correlation_id":"1-2","decision":"ALLOW"}"#, OddAnswer::Form),
            (r#"{"server_correlation_id":"1-2","decision":true}"#, OddAnswer::Form),
            (r#"{"server_correlation_id":"1-2","decision":{"allow":null}}"#, OddAnswer::Form),
            (r#"{"server_correlation_id":"1-2","decision":"allow","x":1}"#, OddAnswer::Form),
            (
                r#"{"server_correlation_id":"1-2","decision":"deny","decision":"allow"}"#,
                OddAnswer::Form,
            ),
            (r#"{"server_correlation_id":"1-2","decision":"allow"} {}"#, OddAnswer::Form),
            (r#"{"server_correlation_id":"1-2","decision":"allow""#, OddAnswer::Form),
            (
                r#"{"server_correlation_id":"1-2","decision":"deny","reason":"other"}"#,
                OddAnswer::Form,
            ),
            (
                r#"{"server_correlation_id":"1-2","decision":"allow","writer_lease":"yes"}"#,
                OddAnswer::Form,
            ),
            (r#"{"server_correlation_id":"1-3","decision":"allow"}"#, OddAnswer::Astray),
            (r#"{"server_correlation_id":"1-2","decision":"deny"}"#, OddAnswer::Contradiction),
            (
                r#"{"server_correlation_id":"1-2","decision":"allow","reason":"quota"}"#,
                OddAnswer::Contradiction,
            ),
            (
                r#"{"server_correlation_id":"1-2","decision":"allow","detail":"but"}"#,
                OddAnswer::Contradiction,
            ),
            (&deny(&long), OddAnswer::Contradiction),
            (&deny("\u{202e}"), OddAnswer::Contradiction),
            (&deny("\\u001b[31m"), OddAnswer::Contradiction),
        ] {
            assert_eq!(parsed(body), Err(odd), "{body}");
        }
    }

    #[test]
    fn a_hook_is_taken_where_its_request_and_its_moment_are_repeated() {
        let headers = |name| (name != NAMESPACE).then_some(&b"a"[..]);
        let subject = Subject {
            server_correlation_id: "1-2".to_owned(),
            recorder_id: RecorderId::new("r").unwrap(),
            operation: "record_envelope",
            is_mutating: true,
            identity: Identity::read(headers).unwrap(),
        };
        let hook = Hook {
            subject: &subject,
            boundary: Boundary::Result,
            outcome: Outcome::Succeeded,
            status: Some(201),
            code: None,
            is_replay: false,
        };
        let checked = |body: &str| hook.check_answer(body.as_bytes());
        assert_eq!(checked(r#"{"server_correlation_id":"1-2","boundary":"result"}"#), Ok(()));
        for (body, odd) in [
            (r#"{"server_correlation_id":"1-2","boundary":"admission"}"#, OddAnswer::Astray),
            (r#"{"server_correlation_id":"1-1","boundary":"result"}"#, OddAnswer::Astray),
            (r#"{"server_correlation_id":"1-2","boundary":"result","x":1}"#, OddAnswer::Form),
            (r#"{"server_correlation_id":"1-2","boundary":{"result":null}}"#, OddAnswer::Form),
            (r#"{"server_correlation_id":"1-2"}"#, OddAnswer::Form),
            ("{}", OddAnswer::Form),
            ("", OddAnswer::Form),
        ] {
            assert_eq!(checked(body), Err(odd), "{body}");
        }
        assert_eq!(
            serde_json::to_string(&hook).unwrap(),
            r#"{"server_correlation_id":"1-2","recorder_id":"r","operation":"record_envelope","is_mutating":true,"identity":{"tenant_id":"a","principal_id":"a","authn_method":"a","namespace":null},"boundary":"result","outcome":"succeeded","status":201,"code":null,"is_replay":false}"#
        );
    }
}
