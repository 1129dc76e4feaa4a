//! The words of the product, each explained once: for help, reports, tooltips and documents.
//!
//! One word stands for one idea, in code, output and pages. Whoever shows a word shows what stands here, or a translation
//! of it. Deliberately absent: codes, settings, phases and answers, which their own tables explain.

/// What a word is about; words are read topic by topic.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Topic {
    /// What is taken down.
    Recording,
    /// How its order is kept.
    Order,
    /// What an auditor gets.
    Handover,
    /// Who vouches for it.
    Trust,
    /// What a verification says.
    Verification,
}

impl Topic {
    /// All topics, in the order in which a newcomer meets them.
    pub const ALL: [Self; 5] =
        [Self::Recording, Self::Order, Self::Handover, Self::Trust, Self::Verification];

    /// The topic as a heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Recording => "What is recorded",
            Self::Order => "How its order is kept",
            Self::Handover => "What an auditor gets",
            Self::Trust => "Who vouches for it",
            Self::Verification => "What a verification says",
        }
    }
}

/// A word and what it means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Word {
    /// The word, in lower case, as programs write it.
    pub name: &'static str,
    /// What it is about.
    pub topic: Topic,
    /// What it means, in one or two sentences of plain text.
    pub meaning: &'static str,
}

macro_rules! words {
    ($($topic:ident { $($name:literal: $meaning:literal;)+ })+) => {
        /// Every word, by topic, and in the order in which one explains the next.
        pub const WORDS: &[Word] = &[
            $($(Word { name: $name, topic: Topic::$topic, meaning: $meaning },)+)+
        ];
    };
}

words! {
    Recording {
        "event": "What happened, as the program that reports it says.";
        "actor": "Who or what did it, as that program says.";
        "payload": "What an event says, in the producer's own words.";
        "draft": "An event as a producer hands it in, not yet recorded: an unsealed envelope.";
        "prepared": "Said of a draft in its canonical form, with its commitment and its content hash, but without a place.";
        "envelope": "One recorded event: what happened, who acted, when, and its place in the chain. It never changes.";
        "commitment": "A hash of the payload and a salt. It proves the payload once shown, and tells nothing before.";
        "content hash": "The hash of all that an envelope says, but for its place and its payload, for which the commitment stands.";
        "attachment": "A file that envelopes refer to by the hash of its bytes.";
        "receipt": "What a producer is given after the commit: where the envelope stands, and its hashes.";
        "adapter": "What makes drafts of another system's records: the same input gives the same drafts.";
        "anomaly": "Something that is wrong with what an adapter was given, with its code and its place.";
    }
    Order {
        "tenant": "Whose events they are: one half of a stream's name.";
        "recorder": "What takes events down: a program, and by its name the other half of a stream's name.";
        "stream": "All that one recorder takes down for one tenant.";
        "segment": "A stretch of a stream, from its genesis to its seal.";
        "genesis": "How a segment begins: which stream it is of, what came before, what is promised about signatures.";
        "seal": "How a segment ended: its last hash, its count, and the root of the log. A sealed segment never changes.";
        "sequence": "The place of an envelope in its segment, from 0.";
        "position": "The place of an envelope in its stream, from 0.";
        "link": "The hash that ties an envelope to all before it in its segment, and so in its stream.";
        "chain": "The links of a stream. Whatever is changed, removed, added or moved changes every link after it.";
        "chain head": "The last link of a segment.";
        "log": "The links of a stream in their order, as a Merkle tree that only grows.";
        "root": "One hash that commits to the whole log at one size.";
        "tile": "256 hashes of the log's tree, kept together.";
        "head": "The size and the root of a log at some moment.";
        "head guard": "The last head of each stream, kept apart from the database, so that an old copy of it is noticed.";
    }
    Handover {
        "selector": "Which envelopes of a stream a bundle holds.";
        "bundle": "What an auditor receives: selected envelopes with all that is needed to verify them offline.";
        "part": "One file of a bundle.";
        "manifest": "A bundle's table of contents: every part with its hash, the segments, and the head of the log.";
        "archive": "A bundle as a ZIP file.";
        "document": "A bundle as one JSON object.";
        "gap anchor": "What stands for envelopes that were left out: the last of their links, from which the chain goes on.";
        "inclusion proof": "Hashes which show that an envelope is in the log.";
        "consistency proof": "Hashes which show that the log at one size begins with the log at an earlier one.";
        "withheld": "Left out on purpose, with only its hash shown.";
    }
    Trust {
        "hash": "A number computed from bytes (SHA-256), their fingerprint: other bytes give another one.";
        "key": "What signatures are made and checked with. Its id is a hash of its public half.";
        "signature": "What only the holder of a key can have made, over exactly these bytes.";
        "checkpoint": "What the log says of itself at one size, signed: its name, its size and its root.";
        "rotation": "The replacement of the signing key by another, recorded in the log itself.";
        "trust root": "The auditor's own file: which keys are believed, for which streams.";
        "known head": "A head that the auditor has from elsewhere, and that the log must extend.";
        "witness": "Somebody else who saw a checkpoint and signed that.";
    }
    Verification {
        "phase": "One of the seven steps of a verification.";
        "finding": "Something that is wrong or unproven, with its code and its place.";
        "verdict": "Valid, valid with warnings, or invalid.";
        "integrity": "Whether what is there fits together as it must, without a change.";
        "authenticity": "Whether keys that the auditor trusts vouch for the evidence.";
        "completeness": "Whether everything that should be in the bundle is in it.";
        "end": "Whether anything could be missing after the last envelope.";
        "time": "Whether anybody but the recorder vouches for when it was.";
        "transcript": "What a verification did, the same bytes for the same inputs everywhere.";
    }
}

/// What a word means; `None` for one that is not a word of the product.
pub fn meaning(name: &str) -> Option<&'static str> {
    WORDS.iter().find(|word| word.name == name).map(|word| word.meaning)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_stand_once_by_topic_and_are_explained_in_sentences() {
        let names: BTreeSet<_> = WORDS.iter().map(|word| word.name).collect();
        assert_eq!(names.len(), WORDS.len());
        assert!(WORDS.is_sorted_by_key(|word| word.topic));
        for Word { name, meaning, .. } in WORDS {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b' '), "{name}");
            assert!(meaning.ends_with('.') && !meaning.contains(['|', '<', '\n']), "{name}");
            assert!(meaning.is_ascii(), "{name}");
        }
    }

    #[test]
    fn every_topic_has_words() {
        for topic in Topic::ALL {
            assert!(WORDS.iter().any(|word| word.topic == topic), "{}", topic.title());
        }
    }

    #[test]
    fn a_word_is_found_by_its_name_alone() {
        assert_eq!(meaning("part"), Some("One file of a bundle."));
        assert_eq!((meaning("Part"), meaning("part ")), (None, None));
    }
}
