//! The words of the product, each explained once: for the page, for tooltips, for the command line's help.
//!
//! Deliberately absent: words for codes and settings, whose own tables explain them; both are taken from there.

use std::fmt::Write as _;

use recorder_sidecar_api::problem::Code;
use recorder_sidecar_config::key::Key;
use recorder_verify::FindingCode;
use serde_json::{Map, Value, json};

/// A word and what it means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Term {
    /// The word, as programs write it.
    pub term: &'static str,
    /// What it means, in one or two sentences.
    pub meaning: &'static str,
}

/// Every word, sorted.
pub const TERMS: &[Term] = &[
    Term {
        term: "attachment",
        meaning: "A file that envelopes refer to by the hash of its bytes.",
    },
    Term {
        term: "authenticity",
        meaning: "Whether keys that the auditor trusts vouch for the evidence.",
    },
    Term {
        term: "bundle",
        meaning: "What an auditor receives: selected envelopes with all that is needed to verify them offline.",
    },
    Term {
        term: "chain",
        meaning: "The hashes that tie each envelope of a stream to the one before.",
    },
    Term {
        term: "checkpoint",
        meaning: "What the log says of itself at one size, signed: its name, its size and its root.",
    },
    Term {
        term: "commitment",
        meaning: "A hash of the payload and a salt. It proves the payload once shown, and tells nothing before.",
    },
    Term {
        term: "completeness",
        meaning: "Whether everything that should be in the bundle is in it.",
    },
    Term {
        term: "consistency proof",
        meaning: "Hashes which show that the log at one size begins with the log at an earlier one.",
    },
    Term { term: "draft", meaning: "An event as a producer hands it in, not yet recorded." },
    Term { term: "end", meaning: "Whether anything could be missing after the last envelope." },
    Term {
        term: "envelope",
        meaning: "One recorded event: what happened, who acted, when, and its place in the chain.",
    },
    Term {
        term: "finding",
        meaning: "Something that is wrong or unproven, with its code and its place.",
    },
    Term {
        term: "genesis",
        meaning: "How a segment begins: which stream it is of, what came before, what is promised about signatures.",
    },
    Term { term: "head", meaning: "The size and the root of a log at some moment." },
    Term {
        term: "head guard",
        meaning: "The last head of each stream, kept apart from the database, so that an old copy of it is noticed.",
    },
    Term { term: "inclusion proof", meaning: "Hashes which show that an envelope is in the log." },
    Term { term: "integrity", meaning: "Whether what is there is as it was recorded." },
    Term {
        term: "known head",
        meaning: "A head that the auditor has from elsewhere, and that the log must extend.",
    },
    Term {
        term: "log",
        meaning: "All envelopes of a stream in their order, as a Merkle tree that only grows.",
    },
    Term { term: "manifest", meaning: "What a bundle holds, with the hash of every part." },
    Term { term: "part", meaning: "One file of a bundle." },
    Term { term: "payload", meaning: "What an event says, in the producer's own words." },
    Term { term: "phase", meaning: "One of the seven steps of a verification." },
    Term { term: "position", meaning: "The place of an envelope in its stream, from 0." },
    Term { term: "receipt", meaning: "Proof of recording, given after the commit." },
    Term { term: "root", meaning: "One hash that commits to the whole log at one size." },
    Term {
        term: "rotation",
        meaning: "The replacement of the signing key by another, recorded in the log itself.",
    },
    Term {
        term: "seal",
        meaning: "How a segment ended: its last hash, its count, and the root of the log. A sealed segment never changes.",
    },
    Term { term: "segment", meaning: "A stretch of a stream, from its genesis to its seal." },
    Term { term: "selector", meaning: "Which envelopes of a stream a bundle holds." },
    Term { term: "sequence", meaning: "The place of an envelope in its segment, from 0." },
    Term { term: "stream", meaning: "All that one recorder takes down for one tenant." },
    Term { term: "time", meaning: "Whether anybody but the recorder vouches for when it was." },
    Term {
        term: "transcript",
        meaning: "What a verification did, the same bytes for the same inputs everywhere.",
    },
    Term {
        term: "trust root",
        meaning: "The auditor's own file: which keys are believed, for which streams.",
    },
    Term { term: "verdict", meaning: "Valid, valid with warnings, or invalid." },
    Term { term: "witness", meaning: "Somebody else who saw a checkpoint and signed that." },
];

/// What a word means.
pub fn meaning(term: &str) -> Option<&'static str> {
    TERMS.iter().find(|known| known.term == term).map(|known| known.meaning)
}

/// The words as a page.
pub(crate) fn page() -> String {
    let mut out = String::from("# Glossary\n\n| word | meaning |\n|---|---|\n");
    for Term { term, meaning } in TERMS {
        let _ = writeln!(out, "| {term} | {meaning} |");
    }
    out
}

/// Every word, code and setting with what to show beside it.
pub(crate) fn tooltips() -> Value {
    let terms: Map<String, Value> =
        TERMS.iter().map(|known| (known.term.to_owned(), known.meaning.into())).collect();
    let findings: Map<String, Value> = FindingCode::ALL
        .iter()
        .map(|code| (code.code().to_owned(), code.meaning().into()))
        .collect();
    let problems: Map<String, Value> =
        Code::ALL.iter().map(|code| (code.code().to_owned(), code.title().into())).collect();
    let settings: Map<String, Value> =
        Key::ALL.iter().map(|key| (key.name().to_owned(), key.spec().purpose.into())).collect();
    json!({ "terms": terms, "findings": findings, "problems": problems, "settings": settings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_and_explained_in_sentences() {
        assert!(TERMS.is_sorted_by(|a, b| a.term < b.term));
        for Term { term, meaning } in TERMS {
            assert!(meaning.ends_with('.') && !meaning.contains('|'), "{term}");
        }
        assert!(meaning("checkpoint").is_some() && meaning("Checkpoint").is_none());
    }
}
