//! What the parts of a verification are called where people read, and what each answer means.
//!
//! English says what the verifier itself says of its phases and answers, and what `recorder_core::words` says of words; tests
//! hold the catalog to it. Deliberately absent: findings, whose meanings are looked up where they are shown.

use recorder_core::words::Topic;
use recorder_envelope::trust_root::{KeyStatus, TrustedKey};
use recorder_verify::phase::signatures::KeyUse;
use recorder_verify::{
    Answers, Authenticity, Completeness, End, Integrity, Phase, Question, Report, Time, Verdict,
};

use crate::i18n::{Locale, say};
use crate::output::Tone;

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

impl Weight {
    /// How it looks on a terminal.
    pub(crate) fn tone(self) -> Tone {
        match self {
            Self::Good => Tone::Good,
            Self::Warning => Tone::Warning,
            Self::Bad => Tone::Bad,
        }
    }
}

/// One answer.
pub(crate) struct AnswerWords {
    /// Which question.
    pub(crate) of: Question,
    /// The question, as it is asked.
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

/// The five answers, in the order in which a reader asks.
pub(crate) fn answers(answers: &Answers, here: &Circumstances) -> [AnswerWords; 5] {
    let at = here.locale;
    [
        integrity(answers.integrity, at),
        authenticity_here(answers.authenticity, here),
        completeness_here(answers.completeness, here),
        end(answers.end, at),
        time(answers.time, at),
    ]
}

/// What every answer to every question is called, and what it means of any bundle.
pub(crate) fn all_answers(at: Locale) -> Vec<AnswerWords> {
    let mut all =
        Vec::from([Integrity::Intact, Integrity::Broken].map(|value| integrity(value, at)));
    let values = [Authenticity::Proven, Authenticity::Unproven, Authenticity::Broken];
    all.extend(values.map(|value| authenticity(value, at)));
    let values = [Completeness::Complete, Completeness::Partial, Completeness::Broken];
    all.extend(values.map(|value| completeness(value, at)));
    all.extend([End::Proven, End::Open, End::Unproven].map(|value| end(value, at)));
    all.extend([Time::Bounded, Time::Claimed].map(|value| time(value, at)));
    all
}

/// What a question is called.
pub(crate) fn question(question: Question, at: Locale) -> &'static str {
    match question {
        Question::Integrity => say!(at, question.integrity),
        Question::Authenticity => say!(at, question.authenticity),
        Question::Completeness => say!(at, question.completeness),
        Question::End => say!(at, question.end),
        Question::Time => say!(at, question.time),
    }
}

fn asked(question: Question, at: Locale) -> &'static str {
    match question {
        Question::Integrity => say!(at, asks.integrity),
        Question::Authenticity => say!(at, asks.authenticity),
        Question::Completeness => say!(at, asks.completeness),
        Question::End => say!(at, asks.end),
        Question::Time => say!(at, asks.time),
    }
}

fn answer(
    of: Question,
    at: Locale,
    weight: Weight,
    (value, meaning): (&'static str, &'static str),
) -> AnswerWords {
    AnswerWords { of, question: asked(of, at), value, weight, meaning: meaning.to_owned() }
}

/// The value and the meaning of an answer.
macro_rules! worded {
    ($at:ident, $key:ident) => {
        (say!($at, answer.$key), say!($at, explains.$key))
    };
}

fn integrity(value: Integrity, at: Locale) -> AnswerWords {
    let line = |weight, words| answer(Question::Integrity, at, weight, words);
    match value {
        Integrity::Intact => line(Weight::Good, worded!(at, integrity_intact)),
        Integrity::Broken => line(Weight::Bad, worded!(at, integrity_broken)),
    }
}

fn authenticity(value: Authenticity, at: Locale) -> AnswerWords {
    let line = |weight, words| answer(Question::Authenticity, at, weight, words);
    match value {
        Authenticity::Proven => line(Weight::Good, worded!(at, authenticity_proven)),
        Authenticity::Unproven => line(Weight::Warning, worded!(at, authenticity_unproven)),
        Authenticity::Broken => line(Weight::Bad, worded!(at, authenticity_broken)),
    }
}

fn authenticity_here(value: Authenticity, here: &Circumstances) -> AnswerWords {
    let words = authenticity(value, here.locale);
    if value == Authenticity::Unproven && !here.trust_root_given {
        let meaning = say!(here.locale, explains.authenticity_rootless).to_owned();
        return AnswerWords { meaning, ..words };
    }
    words
}

fn completeness(value: Completeness, at: Locale) -> AnswerWords {
    let line = |weight, words| answer(Question::Completeness, at, weight, words);
    match value {
        Completeness::Complete => line(Weight::Good, worded!(at, completeness_complete)),
        Completeness::Partial => line(Weight::Warning, worded!(at, completeness_partial)),
        Completeness::Broken => line(Weight::Bad, worded!(at, completeness_broken)),
    }
}

fn completeness_here(value: Completeness, here: &Circumstances) -> AnswerWords {
    let (at, held, size) = (here.locale, here.event_count, here.tree_size);
    let words = completeness(value, at);
    let meaning = match value {
        Completeness::Complete => say!(at, explains.completeness_whole, size = size),
        Completeness::Partial if held == size => {
            say!(at, explains.completeness_withheld).to_owned()
        }
        Completeness::Partial => {
            say!(at, explains.completeness_selection, held = held, size = size)
        }
        Completeness::Broken => return words,
    };
    AnswerWords { meaning, ..words }
}

fn end(value: End, at: Locale) -> AnswerWords {
    let line = |weight, words| answer(Question::End, at, weight, words);
    match value {
        End::Proven => line(Weight::Good, worded!(at, end_proven)),
        End::Open => line(Weight::Warning, worded!(at, end_open)),
        End::Unproven => line(Weight::Warning, worded!(at, end_unproven)),
    }
}

fn time(value: Time, at: Locale) -> AnswerWords {
    let line = |weight, words| answer(Question::Time, at, weight, words);
    match value {
        Time::Bounded => line(Weight::Good, worded!(at, time_bounded)),
        Time::Claimed => line(Weight::Warning, worded!(at, time_claimed)),
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

/// A topic of the words as a heading.
pub(crate) fn topic(topic: Topic, at: Locale) -> &'static str {
    match topic {
        Topic::Recording => say!(at, topic.recording),
        Topic::Order => say!(at, topic.order),
        Topic::Handover => say!(at, topic.handover),
        Topic::Trust => say!(at, topic.trust),
        Topic::Verification => say!(at, topic.verification),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use recorder_contract::glossary;
    use recorder_core::words::WORDS;

    use super::*;
    use crate::i18n::texts;

    #[test]
    fn the_catalog_explains_phases_and_answers_as_the_verifier_does() {
        for phase in Phase::ALL {
            assert_eq!(self::phase(phase, Locale::ENGLISH).1, phase.meaning());
        }
        let said: Vec<_> = all_answers(Locale::ENGLISH);
        let said: Vec<_> = said.iter().map(|said| (said.of, said.value, &*said.meaning)).collect();
        let defined: Vec<_> = glossary::answers()
            .into_iter()
            .map(|known| (known.question, known.answer, known.meaning))
            .collect();
        assert_eq!(said, defined);
    }

    #[test]
    fn the_catalog_names_topics_as_pages_do() {
        for topic in Topic::ALL {
            assert_eq!(self::topic(topic, Locale::ENGLISH), topic.title());
        }
    }

    #[test]
    fn the_catalog_has_every_word_of_the_product_with_its_meaning_and_no_other() {
        let named: BTreeMap<_, _> = WORDS.iter().map(|word| (word.name, word.name)).collect();
        assert_eq!(texts::WORD.english().collect::<BTreeMap<_, _>>(), named);
        let explained: BTreeMap<_, _> =
            WORDS.iter().map(|word| (word.name, word.meaning)).collect();
        assert_eq!(texts::WORD_MEANING.english().collect::<BTreeMap<_, _>>(), explained);
    }
}
