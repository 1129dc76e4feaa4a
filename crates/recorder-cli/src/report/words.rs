//! What the parts of a verification are called where no programmer reads, and what each answer means.

use recorder_envelope::trust_root::{KeyStatus, TrustedKey};
use recorder_verify::phase::signatures::KeyUse;
use recorder_verify::{Authenticity, Completeness, End, Integrity, Phase, Report, Time, Verdict};

/// How an answer weighs; the sign stands for it where there are no colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Weight {
    /// Proven.
    Good,
    /// Not proven.
    Warning,
    /// Broken.
    Bad,
}

/// One answer.
pub(crate) struct AnswerWords {
    /// The question.
    pub(crate) question: &'static str,
    /// The answer in a word.
    pub(crate) value: &'static str,
    /// How it weighs.
    pub(crate) weight: Weight,
    /// What it means for this bundle.
    pub(crate) meaning: String,
}

/// What the answers depend on, besides the answers.
pub(crate) struct Circumstances {
    /// Whether the verification was given a trust root.
    pub(crate) trust_root_given: bool,
    /// Envelopes in the bundle.
    pub(crate) event_count: u64,
    /// Envelopes in the log that it is tied to.
    pub(crate) tree_size: u64,
}

fn answer(
    question: &'static str,
    value: &'static str,
    weight: Weight,
    meaning: &str,
) -> AnswerWords {
    AnswerWords { question, value, weight, meaning: meaning.to_owned() }
}

/// The five answers, in the order in which a reader asks.
pub(crate) fn answers(report: &Report, here: &Circumstances) -> [AnswerWords; 5] {
    let answers = report.answers();
    [
        integrity(answers.integrity),
        authenticity(answers.authenticity, here.trust_root_given),
        completeness(answers.completeness, here),
        end(answers.end),
        time(answers.time),
    ]
}

fn integrity(value: Integrity) -> AnswerWords {
    let question = "Integrity: was anything changed?";
    match value {
        Integrity::Intact => answer(
            question,
            "intact",
            Weight::Good,
            "Every fingerprint (hash) in the file was computed again and agrees, from each event to the log as a whole. \
             What is here fits together without a gap. Whose it is, is the next question.",
        ),
        Integrity::Broken => answer(
            question,
            "broken",
            Weight::Bad,
            "Something here was changed, does not fit the rest, or cannot be read. Rely on nothing in this file.",
        ),
    }
}

fn authenticity(value: Authenticity, trust_root_given: bool) -> AnswerWords {
    let question = "Authenticity: who vouches for it?";
    match (value, trust_root_given) {
        (Authenticity::Proven, _) => answer(
            question,
            "proven",
            Weight::Good,
            "Keys that the given trust root names for this stream signed the file, and vouch for every event in it.",
        ),
        (Authenticity::Unproven, false) => answer(
            question,
            "unproven",
            Weight::Warning,
            "No trust root was given, so no signature could be attributed to anybody. Anyone could have made this file.",
        ),
        (Authenticity::Unproven, true) => answer(
            question,
            "unproven",
            Weight::Warning,
            "The keys in the given trust root do not vouch for all of it. Somebody else could have made this file.",
        ),
        (Authenticity::Broken, _) => answer(
            question,
            "broken",
            Weight::Bad,
            "A signature does not hold, was removed, or is by a key that must not sign here.",
        ),
    }
}

fn completeness(value: Completeness, here: &Circumstances) -> AnswerWords {
    let question = "Completeness: is everything here?";
    let (held, size) = (here.event_count, here.tree_size);
    match value {
        Completeness::Complete => answer(
            question,
            "complete",
            Weight::Good,
            &format!(
                "All {size} events of the log up to that size are here, with every payload and attachment."
            ),
        ),
        Completeness::Partial if held == size => answer(
            question,
            "partial",
            Weight::Warning,
            "Every event of the log is here, but the content of some, or attachments, are withheld.",
        ),
        Completeness::Partial => answer(
            question,
            "partial",
            Weight::Warning,
            &format!(
                "A selection: {held} of the {size} events in the log. It says nothing about those left out, but that they exist."
            ),
        ),
        Completeness::Broken => answer(
            question,
            "broken",
            Weight::Bad,
            "Counts or references disagree: something that should be here is not.",
        ),
    }
}

fn end(value: End) -> AnswerWords {
    let question = "End: was the tail cut off?";
    match value {
        End::Proven => answer(
            question,
            "proven",
            Weight::Good,
            "A trusted signature closes the segment right after the last event, or a checkpoint that was given ends there.",
        ),
        End::Open => answer(
            question,
            "open",
            Weight::Warning,
            "Recording was still going on. What came after the last event is not in this file.",
        ),
        End::Unproven => answer(
            question,
            "unproven",
            Weight::Warning,
            "Nothing says what came after the last event. Later events may exist, and may have been left off.",
        ),
    }
}

fn time(value: Time) -> AnswerWords {
    let question = "Time: who says when?";
    match value {
        Time::Bounded => answer(
            question,
            "bounded",
            Weight::Good,
            "Independent witnesses or timestamps bound when it was recorded.",
        ),
        Time::Claimed => answer(
            question,
            "claimed",
            Weight::Warning,
            "Only the clock of the recorder says when. Nobody independent vouches for the times.",
        ),
    }
}

/// The verdict in words: its sign and name, its weight, and what it comes to.
pub(crate) fn verdict(report: &Report) -> (&'static str, Weight, &'static str) {
    let proven = report.answers().authenticity == Authenticity::Proven;
    match (report.verdict(), proven) {
        (Verdict::Valid, _) => (
            "✓ VALID",
            Weight::Good,
            "Every check passed. What is in this file is what was recorded, and keys that the trust root names vouch for it.",
        ),
        (Verdict::ValidWithWarnings, true) => (
            "! VALID, WITH WARNINGS",
            Weight::Warning,
            "What is in this file is what was recorded, and keys that the trust root names vouch for it. \
             Something else is not proven; it is named below.",
        ),
        (Verdict::ValidWithWarnings, false) => (
            "! VALID, WITH WARNINGS — NOBODY TRUSTED VOUCHES FOR IT",
            Weight::Warning,
            "The file is consistent in itself, but it is not shown to be genuine: somebody else could have made it.",
        ),
        (Verdict::Invalid, _) => (
            "✗ INVALID",
            Weight::Bad,
            "This file failed verification. Nothing that it says is proven, and it must not be used as evidence of \
             what it claims. What failed is listed below.",
        ),
    }
}

/// A phase's name and what it looks at.
pub(crate) fn phase(phase: Phase) -> (&'static str, &'static str) {
    match phase {
        Phase::Manifest => (
            "1. Table of contents",
            "The file holds exactly the parts that its table of contents (manifest) names, each with the stated hash.",
        ),
        Phase::Attachments => (
            "2. Attachments",
            "Attached files have the hash and size stated, and each reference leads to one.",
        ),
        Phase::Content => (
            "3. Events",
            "Each event is written in the one permitted form, and its hash is that of its content.",
        ),
        Phase::Chain => (
            "4. Order",
            "Each event commits to the one before it, so none can be changed, removed, added or moved unseen.",
        ),
        Phase::Segments => (
            "5. Segments",
            "The sections of the log (segments) follow one another without gap or repetition.",
        ),
        Phase::Signatures => (
            "6. Signatures",
            "Signatures hold, and are by keys that may sign for this stream at that place.",
        ),
        Phase::Anchors => (
            "7. Log",
            "Everything included leads to the one hash (root) of the whole log, and to checkpoints that were given.",
        ),
    }
}

/// What a count counts.
pub(crate) fn count(phase: Phase, name: &str) -> String {
    let words = match (phase, name) {
        (Phase::Manifest, "part_bytes") => "bytes in parts",
        (Phase::Attachments, "attachments") => "attachments present",
        (Phase::Attachments, "references") => "references to attachments",
        (Phase::Content, "envelopes") => "events",
        (Phase::Content, "payloads_withheld") => "events with content withheld",
        (Phase::Content, "omitted_parents") => "earlier events named and not included",
        (Phase::Chain, "links") => "links of the chain computed",
        (Phase::Chain, "gap_anchors") => "runs of events left out",
        (Phase::Signatures, "verified") => "signatures by trusted keys that hold",
        (Phase::Signatures, "envelopes") => "signatures on single events",
        (Phase::Signatures, "keys") => "trusted keys used",
        (Phase::Anchors, "runs") => "runs of events",
        (Phase::Anchors, "inclusion_paths") => "proofs of place in the log",
        (Phase::Anchors, "roots_recomputed") => "roots computed anew",
        (Phase::Anchors, "known_heads") => "given checkpoints that agree",
        (Phase::Anchors, "cosignatures") => "lines by others on the checkpoint, not checked",
        _ => return name.replace('_', " "),
    };
    words.to_owned()
}

/// What a key signed.
pub(crate) fn key_use(on: KeyUse) -> &'static str {
    match on {
        KeyUse::Manifest => "the table of contents of this file",
        KeyUse::Checkpoint => "the checkpoint of the log",
        KeyUse::Seal => "the closing of segments",
        KeyUse::Envelope => "single events",
    }
}

/// What the trust root says of a key.
pub(crate) fn trust(key: Option<&TrustedKey>) -> String {
    let Some(key) = key else {
        return "not named in the file itself; introduced in the log by a key that is".to_owned();
    };
    let status = match key.status() {
        KeyStatus::Active => "active: trusted, in use",
        KeyStatus::Retired => "retired: trusted for what it signed, no longer in use",
        KeyStatus::Compromised => "compromised: in other hands, not trusted",
    };
    status.to_owned()
}
