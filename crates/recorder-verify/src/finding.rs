//! Findings: everything that a verifier can hold against a bundle, by stable code.
//!
//! A code belongs to one phase and bears on one question, so that five answers follow from a list of findings
//! and from nothing else. Tampering is a finding; what keeps the verifier from working is a `VerifyError`.
//! No finding quotes a payload.

use std::collections::BTreeMap;
use std::fmt;

use recorder_core::limits::FINDINGS_MAX;
use recorder_core::words;
use serde::{Serialize, Serializer};

/// The seven phases, in their order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The container, the manifest, and the parts that it names.
    Manifest,
    /// Attachment bytes, and that each reference resolves.
    Attachments,
    /// The form of each line, commitments and content hashes, identifiers and parents.
    Content,
    /// Sequence, recorded time and chain hashes, through gap anchors.
    Chain,
    /// Geneses, seals, positions, and how segments follow one another.
    Segments,
    /// Signatures, against the trust root.
    Signatures,
    /// The Merkle log: root, inclusion paths, known heads.
    Anchors,
}

impl Phase {
    /// All phases, in their order.
    pub const ALL: [Self; 7] = [
        Self::Manifest,
        Self::Attachments,
        Self::Content,
        Self::Chain,
        Self::Segments,
        Self::Signatures,
        Self::Anchors,
    ];

    /// The phase's stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Attachments => "attachments",
            Self::Content => "content",
            Self::Chain => "chain",
            Self::Segments => "segments",
            Self::Signatures => "signatures",
            Self::Anchors => "anchors",
        }
    }

    /// What it looks at, in a sentence for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Manifest => {
                "The file holds exactly the parts that its table of contents (manifest) names, each with the stated hash."
            }
            Self::Attachments => {
                "Attached files have the hash and size stated, and each reference leads to one."
            }
            Self::Content => {
                "Each event is written in the one permitted form, and its hash is that of its content."
            }
            Self::Chain => {
                "Each event commits to the one before it, so none can be changed, removed, added or moved unseen."
            }
            Self::Segments => {
                "The sections of the log (segments) follow one another without gap or repetition."
            }
            Self::Signatures => {
                "Signatures hold, and are by keys that may sign for this stream at that place."
            }
            Self::Anchors => {
                "Everything included leads to the one hash (root) of the whole log, and to checkpoints that were given."
            }
        }
    }
}

/// The questions that a verification answers apart.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Is what is there as it was recorded?
    Integrity,
    /// Do trusted keys vouch for it?
    Authenticity,
    /// Is everything there?
    Completeness,
    /// Is nothing missing after the last envelope?
    End,
    /// Does anybody else vouch for when?
    Time,
}

impl Question {
    /// All questions, in the order in which a reader asks.
    pub const ALL: [Self; 5] =
        [Self::Integrity, Self::Authenticity, Self::Completeness, Self::End, Self::Time];

    /// The question's stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Authenticity => "authenticity",
            Self::Completeness => "completeness",
            Self::End => "end",
            Self::Time => "time",
        }
    }

    /// What it asks, as the words of the product have it.
    pub fn meaning(self) -> &'static str {
        words::meaning(self.name()).unwrap_or_default()
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something is broken: the bundle is invalid.
    Failure,
    /// Something is not proven.
    Warning,
}

macro_rules! finding_codes {
    ($($phase:ident { $($severity:ident $question:ident $name:ident $code:literal $meaning:literal;)+ })+) => {
        /// What can be held against a bundle. The codes are contract.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum FindingCode {
            $($(#[doc = $meaning] $name,)+)+
        }

        impl FindingCode {
            /// Every code, by phase.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)+)+];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $($(Self::$name => $code,)+)+ }
            }

            /// The phase that finds it.
            pub const fn phase(self) -> Phase {
                match self { $($(Self::$name => Phase::$phase,)+)+ }
            }

            /// How much it weighs.
            pub const fn severity(self) -> Severity {
                match self { $($(Self::$name => Severity::$severity,)+)+ }
            }

            /// The question that it breaks, or leaves unproven.
            pub const fn question(self) -> Question {
                match self { $($(Self::$name => Question::$question,)+)+ }
            }

            /// What it means, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $($(Self::$name => $meaning,)+)+ }
            }
        }
    };
}

finding_codes! {
    Manifest {
        Failure Integrity ContainerUnrecognised "container_unrecognised" "The file begins neither as an archive nor as a document.";
        Failure Integrity ArchiveEndMissing "archive_end_missing" "The archive does not end with its end record: truncated, half-written, or followed by something.";
        Failure Integrity ArchiveEndInvalid "archive_end_invalid" "The end record holds something that no writer of bundles puts there.";
        Failure Integrity ArchiveDirectoryInvalid "archive_directory_invalid" "The central directory is not where it must be, or an entry holds something that no writer of bundles puts there.";
        Failure Integrity ArchiveNotContiguous "archive_not_contiguous" "Members leave a gap, overlap, or do not begin at the first byte.";
        Failure Integrity ArchiveHeaderMismatch "archive_header_mismatch" "A local header is not what its central directory entry asks for.";
        Failure Integrity MemberEncrypted "member_encrypted" "A member is encrypted.";
        Failure Integrity MemberMethod "member_method" "A member is neither stored nor deflated.";
        Failure Integrity MemberName "member_name" "A member's name is absolute, climbs, is too long or not plain ASCII.";
        Failure Integrity MemberRepeated "member_repeated" "Two members have the same name, if only in another case.";
        Failure Integrity MemberUnknown "member_unknown" "A member is not named by the manifest.";
        Failure Integrity MemberMissing "member_missing" "A part that the manifest names is not there.";
        Failure Integrity MemberOrder "member_order" "Members stand in another order than the manifest's.";
        Failure Integrity MemberSize "member_size" "A member has another size than the manifest says.";
        Failure Integrity MemberRatio "member_ratio" "A member would inflate beyond the allowed ratio.";
        Failure Integrity MemberDeflate "member_deflate" "A member's deflate stream is malformed, or ends elsewhere than its sizes say.";
        Failure Integrity MemberCrc "member_crc" "A member's bytes do not have its CRC.";
        Failure Integrity DocumentInvalid "document_invalid" "The document is not the canonical form of a bundle document.";
        Failure Integrity ManifestMissing "manifest_missing" "There is no manifest, or it is not the first member.";
        Failure Integrity ManifestInvalid "manifest_invalid" "The manifest is not a manifest of this version.";
        Failure Integrity ManifestNotCanonical "manifest_not_canonical" "The manifest is not in its canonical form.";
        Failure Integrity BundleIdMismatch "bundle_id_mismatch" "The bundle's id does not follow from the manifest.";
        Failure Integrity PartList "part_list" "The manifest lists a part that no bundle has, misses one that it must have, or lists them in another order.";
        Failure Integrity PartHashMismatch "part_hash_mismatch" "A part's bytes do not have the hash that the manifest states.";
        Failure Integrity ManifestSignatureMalformed "manifest_signature_malformed" "The manifest's signature does not have its form, or is about another manifest.";
        Failure Integrity BundleEmpty "bundle_empty" "The bundle holds no envelope.";
        Failure Integrity SegmentEmpty "segment_empty" "A segment of the bundle holds no envelope.";
        Failure Completeness EnvelopeCountMismatch "envelope_count_mismatch" "The manifest states another number of envelopes than there are.";
        Failure Completeness IncludedCountMismatch "included_count_mismatch" "The manifest states another number of included envelopes of a segment than there are.";
        Failure Completeness CompleteFlagMismatch "complete_flag_mismatch" "The manifest calls a segment complete that is not, or the other way round.";
        Failure Integrity TreeSizeMismatch "tree_size_mismatch" "The manifest's tree size does not fit the segments that it lists.";
    }
    Attachments {
        Failure Integrity AttachmentHashMismatch "attachment_hash_mismatch" "Attachment bytes do not have the hash that names them.";
        Failure Integrity AttachmentSizeMismatch "attachment_size_mismatch" "Attachment bytes have another size than the manifest or a reference states.";
        Failure Completeness AttachmentRefUnlisted "attachment_ref_unlisted" "An envelope refers to an attachment that the manifest does not list.";
        Failure Completeness AttachmentUnreferenced "attachment_unreferenced" "The manifest lists an attachment to which no included envelope refers.";
        Failure Completeness AttachmentBytesMissing "attachment_bytes_missing" "The manifest lists an attachment as present and its bytes are not there.";
        Failure Integrity AttachmentBytesUnlisted "attachment_bytes_unlisted" "Attachment bytes are there that the manifest does not list, or lists as withheld.";
        Failure Integrity AttachmentListInvalid "attachment_list_invalid" "The manifest's attachments are unsorted, repeated, too large, or contradict one another.";
    }
    Content {
        Failure Integrity LineMalformed "line_malformed" "A line does not have the members of an envelope in their form and order.";
        Failure Integrity LineNotCanonical "line_not_canonical" "A line is not in its canonical form.";
        Failure Integrity IdentifierInvalid "identifier_invalid" "An identifier breaks its rule.";
        Failure Integrity LineUnterminated "line_unterminated" "A part does not end with a line end.";
        Failure Integrity LineTooLong "line_too_long" "A line is longer than any envelope's.";
        Failure Integrity PartLineCount "part_line_count" "A part holds no line, or more than a part may.";
        Failure Integrity CommitmentMismatch "commitment_mismatch" "A payload is not the one that the envelope commits to.";
        Failure Integrity ContentHashMismatch "content_hash_mismatch" "An envelope's content hash is not that of its content.";
        Failure Integrity EnvelopeRepeated "envelope_repeated" "An envelope id occurs twice.";
        Failure Completeness ParentUnlisted "parent_unlisted" "An envelope names a parent that is neither in the bundle nor listed as omitted.";
        Failure Completeness OmittedParentPresent "omitted_parent_present" "A parent is listed as omitted and is in the bundle.";
        Failure Completeness OmittedParentUnnamed "omitted_parent_unnamed" "A parent is listed as omitted that no included envelope names.";
        Failure Completeness OmittedParentsUnordered "omitted_parents_unordered" "The omitted parents are not sorted, or one is listed twice.";
    }
    Chain {
        Failure Integrity ChainHashMismatch "chain_hash_mismatch" "An envelope's chain hash does not follow from what comes before it.";
        Failure Integrity SequenceMismatch "sequence_mismatch" "An envelope's sequence is not one that can follow.";
        Failure Integrity RecordedAtDecreases "recorded_at_decreases" "The recorded time goes back.";
        Failure Integrity GapAnchorMissing "gap_anchor_missing" "Envelopes are left out and no gap anchor stands for them.";
        Failure Integrity GapAnchorUnneeded "gap_anchor_unneeded" "A gap anchor stands where no envelope is left out, or twice.";
        Failure Integrity ChainHeadMismatch "chain_head_mismatch" "A segment's chain does not end with the chain head that the manifest states.";
    }
    Segments {
        Failure Integrity GenesisInvalid "genesis_invalid" "A genesis is not the canonical form of one.";
        Failure Integrity GenesisHashMismatch "genesis_hash_mismatch" "A genesis does not have the hash that the manifest states.";
        Failure Integrity SealInvalid "seal_invalid" "A seal is not the canonical form of one.";
        Failure Integrity SealHashMismatch "seal_hash_mismatch" "A seal does not have the hash that the manifest states, or is there and not stated.";
        Failure Integrity SealMissing "seal_missing" "A sealed segment comes without its seal, or an unsealed one is not the last.";
        Failure Integrity SealMismatch "seal_mismatch" "A seal states a segment, count, chain head, envelope or genesis that is not the segment's.";
        Failure Integrity SealTreeMismatch "seal_tree_mismatch" "A seal states a tree size or root that is not the log's at its end.";
        Failure Integrity SegmentTimeOrder "segment_time_order" "A segment is sealed before it was opened.";
        Failure Integrity SegmentIdMismatch "segment_id_mismatch" "A genesis or an envelope belongs to another segment than the one it stands in.";
        Failure Integrity SegmentRepeated "segment_repeated" "A segment is in the bundle twice.";
        Failure Integrity SegmentOrder "segment_order" "Segments do not follow one another by index and position.";
        Failure Integrity PositionMismatch "position_mismatch" "An envelope's position is not its sequence counted from the first of its segment.";
        Failure Integrity PredecessorMismatch "predecessor_mismatch" "A segment names another predecessor, head or seal than the segment before it has.";
        Failure Integrity PredecessorMissing "predecessor_missing" "A segment that is not the first of its stream names no predecessor: a second genesis.";
        Failure Integrity PredecessorUnexpected "predecessor_unexpected" "The first segment of a stream names a predecessor, or does not begin at position 0.";
        Failure Integrity StreamMixed "stream_mixed" "A segment belongs to another stream than the bundle.";
        Failure Integrity SigningWeakened "signing_weakened" "A segment promises less about signatures than one before it.";
    }
    Signatures {
        Failure Authenticity ManifestSignatureMissing "manifest_signature_missing" "The stream promises signatures and the manifest has none.";
        Failure Authenticity CheckpointMissing "checkpoint_missing" "The stream promises signed checkpoints and the bundle has none.";
        Failure Authenticity SealSignatureMissing "seal_signature_missing" "The stream promises signatures and a seal has none.";
        Failure Authenticity EnvelopeSignatureMissing "envelope_signature_missing" "The stream promises a signature on every envelope and one has none.";
        Failure Authenticity ManifestSignatureInvalid "manifest_signature_invalid" "The manifest's signature by a trusted key does not hold.";
        Failure Authenticity CheckpointSignatureInvalid "checkpoint_signature_invalid" "The checkpoint's signature by a trusted key does not hold.";
        Failure Authenticity SealSignatureInvalid "seal_signature_invalid" "A seal's signature by a trusted key does not hold.";
        Failure Authenticity EnvelopeSignatureInvalid "envelope_signature_invalid" "An envelope's signature by a trusted key does not hold.";
        Failure Authenticity KeyUnknown "key_unknown" "A signature is by a key that is not among those that the trust root holds for the stream.";
        Failure Authenticity KeyNotForStream "key_not_for_stream" "A signature is by a key that is trusted for other streams only.";
        Failure Authenticity KeyNotForPosition "key_not_for_position" "A signature is by a key that is not trusted at that position.";
        Failure Authenticity KeyCompromised "key_compromised" "A signature is by a key that is known to be in other hands.";
        Failure Authenticity RotationInvalid "rotation_invalid" "A key rotation is malformed, out of place, or not vouched for by the keys that it names.";
        Failure Integrity CheckpointMalformed "checkpoint_malformed" "The checkpoint is not a signed checkpoint.";
        Failure Integrity CheckpointOrigin "checkpoint_origin" "The checkpoint is of another log than the bundle's stream.";
        Failure Integrity CheckpointMismatch "checkpoint_mismatch" "The checkpoint states another tree size or root than the manifest.";
        Warning Authenticity TrustRootAbsent "trust_root_absent" "No trust root was given: nobody is trusted to vouch for the evidence.";
        Warning Authenticity TrustRootSilent "trust_root_silent" "The trust root holds no key for this stream.";
        Warning Authenticity StreamUnsigned "stream_unsigned" "Nothing in the bundle is signed.";
        Warning Authenticity EnvelopeUnvouched "envelope_unvouched" "Envelopes lie under no signature by a trusted key.";
    }
    Anchors {
        Failure Integrity RootMismatch "root_mismatch" "The recomputed root of the log is not the stated one.";
        Failure Integrity ProofMalformed "proof_malformed" "A line of proofs is not the canonical form of one, or lines are out of order.";
        Failure Integrity InclusionMissing "inclusion_missing" "An inclusion path that is needed is not there.";
        Failure Integrity InclusionUnneeded "inclusion_unneeded" "An inclusion path is there that nothing needs.";
        Failure Integrity InclusionInvalid "inclusion_invalid" "An inclusion path does not lead to the root.";
        Failure Integrity KnownHeadMismatch "known_head_mismatch" "The log is not the one whose head is known: its root differs at the same size.";
        Failure Integrity KnownHeadAhead "known_head_ahead" "The log was longer before: its tail was cut off, or an old copy is shown.";
        Warning End KeptHeadAhead "kept_head_ahead" "The log was longer when a bundle of it was last verified here: this is an older one, or its tail was cut off.";
        Warning End KnownHeadNotComparable "known_head_not_comparable" "The bundle holds too little of the log to compare it with a known head.";
        Warning End KnownHeadOtherLog "known_head_other_log" "A known head is of another log than the bundle's stream.";
        Warning Time WitnessPolicyUnchecked "witness_policy_unchecked" "The trust root names witnesses, and cosignatures are counted but not checked.";
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// Where in a bundle something was found. Its text is stable; its order is that of reports.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// The bundle as a whole: `bundle`.
    Bundle,
    /// One part: `segments/000000/genesis.json`.
    Part(Box<str>),
    /// One line of a part, from 1: `proofs/000000.jsonl:17`.
    Line {
        /// The part.
        part: Box<str>,
        /// The line, from 1.
        line: u64,
    },
    /// One entry of a list of the manifest, from 0: `manifest.json parts[3]`.
    Entry {
        /// The list.
        list: &'static str,
        /// The entry, from 0.
        index: u64,
    },
    /// One segment, by its place in the bundle: `segment 0`.
    Segment(u64),
    /// One envelope: `segment 0, sequence 5`.
    Envelope {
        /// The segment's place in the bundle.
        segment: u64,
        /// The envelope's sequence in it.
        sequence: u64,
    },
    /// One leaf of the log: `position 7`.
    Position(u64),
    /// One of the heads that the auditor knows, from 0: `known head 0`.
    KnownHead(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundle => f.write_str("bundle"),
            Self::Part(part) => f.write_str(part),
            Self::Line { part, line } => write!(f, "{part}:{line}"),
            Self::Entry { list, index } => write!(f, "manifest.json {list}[{index}]"),
            Self::Segment(segment) => write!(f, "segment {segment}"),
            Self::Envelope { segment, sequence } => {
                write!(f, "segment {segment}, sequence {sequence}")
            }
            Self::Position(position) => write!(f, "position {position}"),
            Self::KnownHead(index) => write!(f, "known head {index}"),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One thing held against a bundle.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    code: FindingCode,
    place: Place,
    detail: Box<str>,
}

impl Finding {
    /// Holds `code` against what is at `place`. `detail` is for people and quotes no payload.
    pub fn new(code: FindingCode, place: Place, detail: impl Into<Box<str>>) -> Self {
        Self { code, place, detail: detail.into() }
    }

    /// What it is.
    pub const fn code(&self) -> FindingCode {
        self.code
    }

    /// The phase that found it.
    pub const fn phase(&self) -> Phase {
        self.code.phase()
    }

    /// How much it weighs.
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Where it is.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// What it is about, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// The object that reports and transcripts hold.
#[derive(Serialize)]
struct FindingObject<'a> {
    code: FindingCode,
    detail: &'a str,
    phase: Phase,
    place: &'a Place,
    severity: Severity,
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FindingObject {
            code: self.code,
            detail: &self.detail,
            phase: self.phase(),
            place: &self.place,
            severity: self.severity(),
        }
        .serialize(serializer)
    }
}

/// Findings in the order of phase, place and code: the first thousand in full, how often each code occurred.
///
/// Which thousand are kept does not depend on the order in which they are added.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    kept: BTreeMap<(Phase, Place, FindingCode, Box<str>), u64>,
    kept_count: usize,
    counts: BTreeMap<FindingCode, u64>,
}

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        let Finding { code, place, detail } = finding;
        self.add_count(code, 1);
        *self.kept.entry((code.phase(), place, code, detail)).or_default() += 1;
        self.kept_count += 1;
        if self.kept_count > FINDINGS_MAX {
            self.drop_last();
        }
    }

    /// Adds everything that another list found.
    pub fn merge(&mut self, other: Self) {
        for (code, count) in other.counts {
            self.add_count(code, count);
        }
        for (key, count) in other.kept {
            *self.kept.entry(key).or_default() += count;
        }
        self.kept_count += other.kept_count;
        while self.kept_count > FINDINGS_MAX {
            self.drop_last();
        }
    }

    /// How many findings there are, those that are not kept included.
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How often each code occurred.
    pub fn counts(&self) -> &BTreeMap<FindingCode, u64> {
        &self.counts
    }

    /// Whether the code occurred.
    pub fn has(&self, code: FindingCode) -> bool {
        self.counts.contains_key(&code)
    }

    /// Whether something of this severity bears on the question.
    pub fn bears_on(&self, question: Question, severity: Severity) -> bool {
        self.counts.keys().any(|code| code.question() == question && code.severity() == severity)
    }

    /// How many findings one phase has.
    pub fn count_of(&self, phase: Phase) -> u64 {
        self.counts.iter().filter(|(code, _)| code.phase() == phase).map(|(_, count)| count).sum()
    }

    /// The findings that are kept, in order.
    pub fn kept(&self) -> Vec<Finding> {
        let repeat = |((_, place, code, detail), count): (&(_, Place, _, Box<str>), &u64)| {
            (0..*count)
                .map(|_| Finding::new(*code, place.clone(), detail.clone()))
                .collect::<Vec<_>>()
        };
        self.kept.iter().flat_map(repeat).collect()
    }

    fn add_count(&mut self, code: FindingCode, count: u64) {
        *self.counts.entry(code).or_default() += count;
    }

    fn drop_last(&mut self) {
        let Some(mut last) = self.kept.last_entry() else { return };
        *last.get_mut() -= 1;
        self.kept_count -= 1;
        if *last.get() == 0 {
            last.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_snake_case_and_grouped_by_phase() {
        let codes: BTreeSet<_> = FindingCode::ALL.iter().map(|code| code.code()).collect();
        assert_eq!(codes.len(), FindingCode::ALL.len());
        for code in FindingCode::ALL {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(code.code().bytes().all(plain), "{code}");
            assert!(code.meaning().ends_with('.'), "{code}");
        }
        assert!(FindingCode::ALL.is_sorted_by_key(|code| code.phase()));
    }

    #[test]
    fn phases_and_questions_are_explained_in_sentences() {
        let phases = Phase::ALL.map(Phase::meaning);
        let questions = Question::ALL.map(Question::meaning);
        for meaning in phases.iter().chain(&questions) {
            assert!(meaning.ends_with('.'), "{meaning}");
        }
    }

    #[test]
    fn the_format_page_lists_every_code_and_no_other() {
        let page = include_str!("../../../docs/spec/evidence-format.md");
        let rows: Vec<String> = FindingCode::ALL
            .iter()
            .map(|code| {
                let (phase, question) = (code.phase().name(), code.question().name());
                let severity = match code.severity() {
                    Severity::Failure => "failure",
                    Severity::Warning => "warning",
                };
                format!("| `{code}` | {phase} | {question} | {severity} | {} |", code.meaning())
            })
            .collect();
        let head = "| code | phase | question | severity | meaning |\n|---|---|---|---|---|\n";
        let table = format!("{head}{}\n\n", rows.join("\n"));
        assert!(page.contains(&table), "docs/spec/evidence-format.md §16 should have:\n{table}");
    }

    #[test]
    fn places_read_as_reports_state_them() {
        let part: Box<str> = "proofs/000000.jsonl".into();
        let texts = [
            (Place::Bundle, "bundle"),
            (Place::Part(part.clone()), "proofs/000000.jsonl"),
            (Place::Line { part, line: 17 }, "proofs/000000.jsonl:17"),
            (Place::Entry { list: "parts", index: 3 }, "manifest.json parts[3]"),
            (Place::Segment(0), "segment 0"),
            (Place::Envelope { segment: 0, sequence: 5 }, "segment 0, sequence 5"),
            (Place::Position(7), "position 7"),
            (Place::KnownHead(0), "known head 0"),
        ];
        for (place, text) in texts {
            assert_eq!(place.to_string(), text);
        }
    }

    #[test]
    fn the_same_thousand_are_kept_whatever_the_order() {
        let finding = |n: u64| {
            let code = if n.is_multiple_of(2) {
                FindingCode::ChainHashMismatch
            } else {
                FindingCode::MemberCrc
            };
            Finding::new(code, Place::Envelope { segment: 0, sequence: n }, "")
        };
        let (mut forward, mut backward) = (Findings::default(), Findings::default());
        (0..1500).for_each(|n| forward.add(finding(n)));
        (0..700).rev().for_each(|n| backward.add(finding(n)));
        let mut rest = Findings::default();
        (700..1500).rev().for_each(|n| rest.add(finding(n)));
        backward.merge(rest);
        assert_eq!(forward.kept(), backward.kept());
        assert_eq!((forward.kept().len(), forward.count()), (FINDINGS_MAX, 1500));
        assert_eq!(forward.counts(), backward.counts());
        assert_eq!(forward.kept()[0], finding(1));
        assert_eq!(forward.kept()[999], finding(498));
    }
}
