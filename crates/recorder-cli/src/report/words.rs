//! What the parts of a verification are called where no programmer reads, and what each answer means.

use recorder_envelope::trust_root::{KeyStatus, TrustedKey};
use recorder_verify::phase::signatures::KeyUse;
use recorder_verify::{Authenticity, Completeness, End, Integrity, Phase, Report, Time, Verdict};

use crate::i18n::{Locale, say};

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
    /// The language of the page.
    pub(crate) locale: Locale,
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
    let (answers, locale) = (report.answers(), here.locale);
    [
        integrity(answers.integrity, locale),
        authenticity(answers.authenticity, here),
        completeness(answers.completeness, here),
        end(answers.end, locale),
        time(answers.time, locale),
    ]
}

fn integrity(value: Integrity, at: Locale) -> AnswerWords {
    let question = say!(at, asks.integrity);
    match value {
        Integrity::Intact => answer(
            question,
            say!(at, answer.integrity_intact),
            Weight::Good,
            say!(at, explains.integrity_intact),
        ),
        Integrity::Broken => answer(
            question,
            say!(at, answer.integrity_broken),
            Weight::Bad,
            say!(at, explains.integrity_broken),
        ),
    }
}

fn authenticity(value: Authenticity, here: &Circumstances) -> AnswerWords {
    let at = here.locale;
    let line = |value, weight, meaning| answer(say!(at, asks.authenticity), value, weight, meaning);
    let unproven = |meaning| line(say!(at, answer.authenticity_unproven), Weight::Warning, meaning);
    match (value, here.trust_root_given) {
        (Authenticity::Proven, _) => line(
            say!(at, answer.authenticity_proven),
            Weight::Good,
            say!(at, explains.authenticity_proven),
        ),
        (Authenticity::Unproven, false) => unproven(say!(at, explains.authenticity_rootless)),
        (Authenticity::Unproven, true) => unproven(say!(at, explains.authenticity_unproven)),
        (Authenticity::Broken, _) => line(
            say!(at, answer.authenticity_broken),
            Weight::Bad,
            say!(at, explains.authenticity_broken),
        ),
    }
}

fn completeness(value: Completeness, here: &Circumstances) -> AnswerWords {
    let at = here.locale;
    let line =
        |value, weight, meaning: &str| answer(say!(at, asks.completeness), value, weight, meaning);
    let partial =
        |meaning: &str| line(say!(at, answer.completeness_partial), Weight::Warning, meaning);
    let (held, size) = (here.event_count, here.tree_size);
    match value {
        Completeness::Complete => line(
            say!(at, answer.completeness_complete),
            Weight::Good,
            &say!(at, explains.completeness_complete, size = size),
        ),
        Completeness::Partial if held == size => partial(say!(at, explains.completeness_withheld)),
        Completeness::Partial => {
            partial(&say!(at, explains.completeness_partial, held = held, size = size))
        }
        Completeness::Broken => line(
            say!(at, answer.completeness_broken),
            Weight::Bad,
            say!(at, explains.completeness_broken),
        ),
    }
}

fn end(value: End, at: Locale) -> AnswerWords {
    let line = |value, weight, meaning| answer(say!(at, asks.end), value, weight, meaning);
    match value {
        End::Proven => {
            line(say!(at, answer.end_proven), Weight::Good, say!(at, explains.end_proven))
        }
        End::Open => line(say!(at, answer.end_open), Weight::Warning, say!(at, explains.end_open)),
        End::Unproven => {
            line(say!(at, answer.end_unproven), Weight::Warning, say!(at, explains.end_unproven))
        }
    }
}

fn time(value: Time, at: Locale) -> AnswerWords {
    let line = |value, weight, meaning| answer(say!(at, asks.time), value, weight, meaning);
    match value {
        Time::Bounded => {
            line(say!(at, answer.time_bounded), Weight::Good, say!(at, explains.time_bounded))
        }
        Time::Claimed => {
            line(say!(at, answer.time_claimed), Weight::Warning, say!(at, explains.time_claimed))
        }
    }
}

/// The verdict in words: its sign and name, its weight, and what it comes to.
pub(crate) fn verdict(report: &Report, at: Locale) -> (&'static str, Weight, &'static str) {
    let proven = report.answers().authenticity == Authenticity::Proven;
    match (report.verdict(), proven) {
        (Verdict::Valid, _) => {
            (say!(at, report.verdict_valid), Weight::Good, say!(at, report.means_valid))
        }
        (Verdict::ValidWithWarnings, true) => {
            (say!(at, report.verdict_warnings), Weight::Warning, say!(at, report.means_warnings))
        }
        (Verdict::ValidWithWarnings, false) => {
            (say!(at, report.verdict_nobody), Weight::Warning, say!(at, report.means_nobody))
        }
        (Verdict::Invalid, _) => {
            (say!(at, report.verdict_invalid), Weight::Bad, say!(at, report.means_invalid))
        }
    }
}

/// A phase's name and what it looks at.
pub(crate) fn phase(phase: Phase, at: Locale) -> (&'static str, &'static str) {
    match phase {
        Phase::Manifest => (say!(at, phase.manifest), say!(at, phase.manifest_about)),
        Phase::Attachments => (say!(at, phase.attachments), say!(at, phase.attachments_about)),
        Phase::Content => (say!(at, phase.content), say!(at, phase.content_about)),
        Phase::Chain => (say!(at, phase.chain), say!(at, phase.chain_about)),
        Phase::Segments => (say!(at, phase.segments), say!(at, phase.segments_about)),
        Phase::Signatures => (say!(at, phase.signatures), say!(at, phase.signatures_about)),
        Phase::Anchors => (say!(at, phase.anchors), say!(at, phase.anchors_about)),
    }
}

/// What a count counts.
pub(crate) fn count(phase: Phase, name: &str, at: Locale) -> String {
    let words = match (phase, name) {
        (Phase::Manifest, "part_bytes") => say!(at, counts.part_bytes),
        (Phase::Attachments, "attachments") => say!(at, counts.attachments),
        (Phase::Attachments, "references") => say!(at, counts.references),
        (Phase::Content, "envelopes") => say!(at, counts.envelopes),
        (Phase::Content, "payloads_withheld") => say!(at, counts.payloads_withheld),
        (Phase::Content, "omitted_parents") => say!(at, counts.omitted_parents),
        (Phase::Chain, "links") => say!(at, counts.links),
        (Phase::Chain, "gap_anchors") => say!(at, counts.gap_anchors),
        (Phase::Signatures, "verified") => say!(at, counts.verified),
        (Phase::Signatures, "envelopes") => say!(at, counts.envelope_signatures),
        (Phase::Signatures, "keys") => say!(at, counts.keys),
        (Phase::Anchors, "runs") => say!(at, counts.runs),
        (Phase::Anchors, "inclusion_paths") => say!(at, counts.inclusion_paths),
        (Phase::Anchors, "roots_recomputed") => say!(at, counts.roots_recomputed),
        (Phase::Anchors, "known_heads") => say!(at, counts.known_heads),
        (Phase::Anchors, "cosignatures") => say!(at, counts.cosignatures),
        _ => return name.replace('_', " "),
    };
    words.to_owned()
}

/// What a key signed.
pub(crate) fn key_use(on: KeyUse, at: Locale) -> &'static str {
    match on {
        KeyUse::Manifest => say!(at, key_use.manifest),
        KeyUse::Checkpoint => say!(at, key_use.checkpoint),
        KeyUse::Seal => say!(at, key_use.seal),
        KeyUse::Envelope => say!(at, key_use.envelope),
    }
}

/// What the trust root says of a key.
pub(crate) fn trust(key: Option<&TrustedKey>, at: Locale) -> &'static str {
    match key.map(TrustedKey::status) {
        None => say!(at, trust.introduced),
        Some(KeyStatus::Active) => say!(at, trust.active),
        Some(KeyStatus::Retired) => say!(at, trust.retired),
        Some(KeyStatus::Compromised) => say!(at, trust.compromised),
    }
}
