//! What can be wrong with an input: one code for each kind, and where each was seen first.

use std::collections::BTreeMap;
use std::fmt;

use recorder_envelope::adapter::Anomaly;

macro_rules! codes {
    ($($variant:ident $name:literal $meaning:literal,)*) => {
        /// Something that the transcript and the runpack of a run contradict themselves or each other about.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub(crate) enum Code {
            $($variant,)*
        }

        impl Code {
            /// Every code, in the order in which they are reported.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it says, for people.
            pub(crate) const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }
    };
}

codes! {
    FixtureVersionUnsupported "fixture_version_unsupported" "the fixture is of a version that is not known here",
    TranscriptEmpty "transcript_empty" "the transcript holds no exchange",
    TranscriptSequenceBroken "transcript_sequence_broken" "the exchanges are not numbered 1, 2, 3 and so on",
    TranscriptResponseMissing "transcript_response_missing" "a request has no response",
    TranscriptIdMismatch "transcript_id_mismatch" "a response answers another request",
    ManifestMissing "manifest_missing" "the runpack has no manifest",
    ManifestInvalid "manifest_invalid" "the manifest is no manifest",
    ManifestVersionUnsupported "manifest_version_unsupported" "the manifest is of a version that is not known here",
    HashAlgorithmUnsupported "hash_algorithm_unsupported" "a digest is not of SHA-256",
    DigestMalformed "digest_malformed" "a digest is not 64 lower-case hex digits",
    ManifestUnknownField "manifest_unknown_field" "the manifest has a member that its version does not know",
    PathUnsafe "path_unsafe" "the manifest names a path outside the runpack",
    PathDuplicate "path_duplicate" "the manifest names a path twice",
    RequiredArtifactUnlisted "required_artifact_unlisted" "the manifest vouches for no such artifact, and every runpack has it",
    ArtifactUnlisted "artifact_unlisted" "the manifest does not vouch for a file of the runpack",
    ArtifactMissing "artifact_missing" "the manifest vouches for a file that is not there",
    ArtifactHashMismatch "artifact_hash_mismatch" "a file is not what the manifest vouches for",
    ArtifactInvalid "artifact_invalid" "an artifact cannot be read as what it should be",
    RootHashMismatch "root_hash_mismatch" "the root digest is not that of the manifest's list of files",
    ArtifactIndexMismatch "artifact_index_mismatch" "the manifest's two lists of files differ",
    SpecHashMismatch "spec_hash_mismatch" "the scenario is not the one that the manifest names",
    IdentityMismatch "identity_mismatch" "a record is of another run than the manifest",
    SequenceBroken "sequence_broken" "records are not numbered 1, 2, 3 and so on",
    DecisionDuplicate "decision_duplicate" "two decisions share a trigger or an id",
    DecisionWithoutTrigger "decision_without_trigger" "a decision follows from a trigger that is not recorded",
    ContentHashMismatch "content_hash_mismatch" "a payload is not what its digest says",
    EvidenceHashMismatch "evidence_hash_mismatch" "a piece of evidence is not what its digest says",
    ReceiptHashMismatch "receipt_hash_mismatch" "a receipt is for another packet",
    DigestNotRecomputable "digest_not_recomputable" "a digest does not agree, over a number that can be read in several ways",
    VerifierReportFailed "verifier_report_failed" "the runpack says itself that its verification failed",
    ExportManifestMismatch "export_manifest_mismatch" "the manifest is not the one that the export answered",
    ExportNotInTranscript "export_not_in_transcript" "the transcript holds no export",
    TranscriptCallUnrecorded "transcript_call_unrecorded" "an exchange is not among the calls that the runpack recorded",
    TranscriptResponseMismatch "transcript_response_mismatch" "a response is not the one that the runpack recorded",
    ToolCallWithoutExchange "tool_call_without_exchange" "the runpack recorded a call that the transcript does not hold",
    ReportedVerificationFailed "reported_verification_failed" "a verification in the transcript failed",
}

/// Where something was seen.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Seen {
    path: String,
    places: u64,
}

/// What was found, once for each code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    seen: BTreeMap<Code, Seen>,
}

impl Findings {
    /// Adds a place where `code` was seen. Paths hold names of this format and positions, never content.
    pub(crate) fn add(&mut self, code: Code, path: impl fmt::Display) {
        let seen = self.seen.entry(code);
        seen.or_insert_with(|| Seen { path: path.to_string(), places: 0 }).places += 1;
    }

    /// Places where `code` was seen.
    pub(crate) fn places(&self, code: Code) -> u64 {
        self.seen.get(&code).map_or(0, |seen| seen.places)
    }

    /// Whether anything was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Whether this was found.
    pub(crate) fn has(&self, code: Code) -> bool {
        self.seen.contains_key(&code)
    }

    /// The codes found, in order.
    pub(crate) fn codes(&self) -> impl Iterator<Item = Code> {
        self.seen.keys().copied()
    }

    /// One anomaly for each code, and the number of its places.
    pub(crate) fn anomalies(&self) -> impl Iterator<Item = (Anomaly, u64)> {
        self.seen.iter().map(|(code, seen)| {
            let more = seen.places - 1;
            let detail = match more {
                0 => code.meaning().to_owned(),
                1 => format!("{}; and at 1 more place", code.meaning()),
                _ => format!("{}; and at {more} more places", code.meaning()),
            };
            (Anomaly::new(code.name(), &seen.path, detail), seen.places)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_reported_once_with_its_first_place() {
        let mut findings = Findings::default();
        findings.add(Code::PathUnsafe, "first");
        findings.add(Code::PathUnsafe, "second");
        findings.add(Code::ManifestMissing, "manifest");
        let anomalies: Vec<String> =
            findings.anomalies().map(|(anomaly, _)| anomaly.to_string()).collect();
        assert_eq!(
            anomalies,
            [
                "manifest: the runpack has no manifest (manifest_missing)",
                "first: the manifest names a path outside the runpack; and at 1 more place (path_unsafe)",
            ]
        );
        assert_eq!(Code::ALL.len(), 36);
    }
}
