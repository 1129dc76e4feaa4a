//! One bundle of the corpus: its bytes, what it is verified against, and what must come out.

use recorder_envelope::bundle::layout;
use recorder_envelope::segment::SigningPromise;
use recorder_verify::FindingCode;

use crate::forge::bundle::{Bundle, Members, Part, Selection};
use crate::forge::draft::{Draft, attachment};
use crate::forge::log::Log;

/// Envelopes of the first segment.
pub(crate) const LINES: &str = "segments/000000/envelopes-000000.jsonl";
/// Genesis of the first segment.
pub(crate) const GENESIS: &str = "segments/000000/genesis.json";
/// Seal of the first segment.
pub(crate) const SEAL: &str = "segments/000000/seal.json";
/// Envelopes of the second segment.
pub(crate) const LINES_1: &str = "segments/000001/envelopes-000000.jsonl";
/// Genesis of the second segment.
pub(crate) const GENESIS_1: &str = "segments/000001/genesis.json";
/// Seal of the second segment.
pub(crate) const SEAL_1: &str = "segments/000001/seal.json";

/// How a bundle is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// `.recorder.zip`.
    Archive,
    /// `.recorder.json`.
    Document,
}

/// What must come out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// The verdict `valid`.
    Valid,
    /// The verdict `valid_with_warnings`.
    Warned,
    /// The verdict `invalid`, and this is the finding that was meant.
    Invalid(FindingCode),
    /// No verdict: the bundle asks for more work than this limit allows.
    Limit(&'static str),
}

/// One bundle of the corpus.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) form: Form,
    pub(crate) bytes: Vec<u8>,
    /// The trust root's file, without its extension.
    pub(crate) trust_root: Option<&'static str>,
    /// A checkpoint that the auditor knows.
    pub(crate) known_head: Option<String>,
    pub(crate) outcome: Outcome,
}

impl Case {
    /// A bundle that must verify under the trust root of its recorder.
    pub(crate) fn valid(name: &'static str, description: &'static str, members: &Members) -> Self {
        Self {
            name,
            description,
            form: Form::Archive,
            bytes: members.archive(),
            trust_root: Some("recorder"),
            known_head: None,
            outcome: Outcome::Valid,
        }
    }

    /// An archive that must be rejected, with the finding that is meant.
    pub(crate) fn reject(
        name: &'static str,
        meant: FindingCode,
        description: &'static str,
        members: &Members,
    ) -> Self {
        Self::reject_bytes(name, meant, description, members.archive())
    }

    /// Bytes that must be rejected as an archive.
    pub(crate) fn reject_bytes(
        name: &'static str,
        meant: FindingCode,
        description: &'static str,
        bytes: Vec<u8>,
    ) -> Self {
        Self {
            name,
            description,
            form: Form::Archive,
            bytes,
            trust_root: Some("recorder"),
            known_head: None,
            outcome: Outcome::Invalid(meant),
        }
    }

    /// As a document of these bytes.
    pub(crate) fn document(mut self, bytes: Vec<u8>) -> Self {
        self.form = Form::Document;
        self.bytes = bytes;
        self
    }

    /// With another trust root, or none.
    pub(crate) fn trust(mut self, trust_root: Option<&'static str>) -> Self {
        self.trust_root = trust_root;
        self
    }

    /// With the head of a log that the auditor knows.
    pub(crate) fn knowing(mut self, log: &Log) -> Self {
        self.known_head = log.checkpoint.clone();
        self
    }

    /// With another outcome.
    pub(crate) fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// The file's name in the corpus.
    pub(crate) fn file_name(&self) -> String {
        let extension = match self.form {
            Form::Archive => layout::ARCHIVE_EXTENSION,
            Form::Document => "recorder.json",
        };
        format!("{}.{extension}", self.name)
    }
}

/// A log of one sealed segment of three envelopes, with signed seals and checkpoint: what most tampering begins with.
pub(crate) fn signed() -> Log {
    Log::sealed(SigningPromise::Checkpoints, vec![Draft::range(0..3)])
}

/// The same with a signature on each envelope.
pub(crate) fn signed_envelopes() -> Log {
    Log::sealed(SigningPromise::Envelopes, vec![Draft::range(0..3)])
}

/// The same without any signature.
pub(crate) fn unsigned() -> Log {
    Log::sealed(SigningPromise::None, vec![Draft::range(0..3)])
}

/// The smallest log that most manipulations of bytes need: two envelopes, nothing signed.
pub(crate) fn plain() -> Log {
    Log::sealed(SigningPromise::None, vec![Draft::range(0..2)])
}

/// A log of two sealed segments of two envelopes.
pub(crate) fn two_segments() -> Log {
    let promise = SigningPromise::Checkpoints;
    Log::sealed(promise, vec![Draft::range(0..2), Draft::range(2..4)])
}

/// A log of one sealed segment of seven envelopes, for selections.
pub(crate) fn seven() -> Log {
    Log::sealed(SigningPromise::Checkpoints, vec![Draft::range(0..7)])
}

/// A log of which two envelopes refer to two attachments.
pub(crate) fn with_attachments() -> Log {
    let (first, second) = (attachment("first"), attachment("second"));
    let drafts = vec![
        Draft::new(0).attach(vec![first.clone(), second]),
        Draft::new(1).attach(vec![first]),
        Draft::new(2),
    ];
    Log::sealed(SigningPromise::Checkpoints, vec![drafts])
}

/// The bundle of a whole log.
pub(crate) fn whole(log: &Log) -> Bundle {
    Bundle::of(log, &Selection::everything())
}

/// The bundle of positions 2 to 3 and 5 of `seven`.
pub(crate) fn partial() -> Bundle {
    Bundle::of(&seven(), &Selection::positions(&[(2, 4), (5, 6)]))
}

/// A bundle with the last envelope of its first segment in a part of its own, of this name.
pub(crate) fn split(bundle: &Bundle, name: &str) -> Bundle {
    let mut bundle = bundle.clone();
    let at = bundle.parts.iter().position(|part| part.name == LINES).unwrap();
    let text = String::from_utf8(bundle.parts[at].bytes.clone()).unwrap();
    let (first, last) = text.trim_end().rsplit_once('\n').unwrap();
    bundle.parts[at].bytes = format!("{first}\n").into_bytes();
    let part = Part { name: name.to_owned(), bytes: format!("{last}\n").into_bytes() };
    bundle.parts.insert(at + 1, part);
    bundle
}

/// Replaces the first occurrence of `from`.
pub(crate) fn replace(bytes: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|window| window == from);
    let at = at.unwrap_or_else(|| panic!("no {:?}", String::from_utf8_lossy(from)));
    bytes.splice(at..at + from.len(), to.iter().copied());
}
