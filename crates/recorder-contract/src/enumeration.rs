//! Every enumeration that crosses a boundary, with its words as the code writes them.
//!
//! A variant that is added does not compile until it stands here.

use std::collections::BTreeMap;

use recorder_envelope::segment::{SealReason, SigningPromise};
use recorder_envelope::trust_root::KeyStatus;
use recorder_sidecar_api::control_plane::{Boundary, DenialReason, Outcome, WriterLease};
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_api::wire::NotReady;
use recorder_verify::{
    Authenticity, Completeness, End, FindingCode, Form, Integrity, Phase, Question, Severity, Time,
    Verdict,
};
use serde::Serialize;

/// The words of all variants; the match does not compile while one is missing.
macro_rules! words {
    ($kind:ident: $($variant:ident),+) => {{
        let _ = |value: $kind| match value { $($kind::$variant)|+ => () };
        vec![$(word(&$kind::$variant),)+]
    }};
}

/// How a variant is written.
fn word(variant: &impl Serialize) -> String {
    let value = serde_json::to_value(variant).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn signing_promises() -> Vec<String> {
    words!(SigningPromise: None, Checkpoints, Envelopes)
}

pub(crate) fn seal_reasons() -> Vec<String> {
    words!(SealReason: Count, Duration, Manual, KeyRotation, Shutdown)
}

pub(crate) fn key_statuses() -> Vec<String> {
    words!(KeyStatus: Active, Retired, Compromised)
}

pub(crate) fn verdicts() -> Vec<String> {
    words!(Verdict: Valid, ValidWithWarnings, Invalid)
}

pub(crate) fn not_ready() -> Vec<String> {
    words!(NotReady: StorageUnavailable, WriterLatched, SignerStopped, EnterpriseUnavailable, RequestCapacityExhausted, ShuttingDown)
}

pub(crate) fn boundaries() -> Vec<String> {
    words!(Boundary: Admission, Result)
}

pub(crate) fn outcomes() -> Vec<String> {
    words!(Outcome: Admitted, Succeeded, Refused, Unknown)
}

pub(crate) fn denial_reasons() -> Vec<String> {
    words!(DenialReason: Policy, Quota)
}

pub(crate) fn writer_leases() -> Vec<String> {
    words!(WriterLease: Held, NotHeld)
}

pub(crate) fn severities() -> Vec<String> {
    words!(Severity: Failure, Warning)
}

pub(crate) fn forms() -> Vec<String> {
    words!(Form: Archive, Document)
}

/// What a receipt may promise.
pub(crate) fn durabilities() -> Vec<String> {
    ["fsync", "process"].map(str::to_owned).to_vec()
}

/// The answers that each question may have, by the question.
pub(crate) fn answers() -> Vec<(&'static str, Vec<String>)> {
    vec![
        (Question::Authenticity.name(), words!(Authenticity: Proven, Unproven, Broken)),
        (Question::Completeness.name(), words!(Completeness: Complete, Partial, Broken)),
        (Question::End.name(), words!(End: Proven, Open, Unproven)),
        (Question::Integrity.name(), words!(Integrity: Intact, Broken)),
        (Question::Time.name(), words!(Time: Bounded, Claimed)),
    ]
}

/// Every enumeration by its name.
pub(crate) fn all() -> BTreeMap<String, Vec<String>> {
    let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
    let mut all = BTreeMap::from([
        ("denial_reason", denial_reasons()),
        ("durability", durabilities()),
        ("finding_code", owned(FindingCode::ALL.iter().map(|code| code.code()).collect())),
        ("hook_boundary", boundaries()),
        ("hook_outcome", outcomes()),
        ("key_status", key_statuses()),
        ("not_ready", not_ready()),
        ("phase", owned(Phase::ALL.iter().map(|phase| phase.name()).collect())),
        ("probe_status", owned(vec!["ok", "unavailable"])),
        ("problem_code", owned(Code::ALL.iter().map(|code| code.code()).collect())),
        ("seal_reason", seal_reasons()),
        ("signing_promise", signing_promises()),
        ("severity", severities()),
        ("verdict", verdicts()),
        ("writer_lease", writer_leases()),
    ]);
    let mut named: BTreeMap<String, Vec<String>> = std::mem::take(&mut all)
        .into_iter()
        .map(|(name, words)| (name.to_owned(), words))
        .collect();
    named.extend(
        answers().into_iter().map(|(question, words)| (format!("answer_{question}"), words)),
    );
    named
}
