//! The transcript of a verification: what went in, what each phase did, what came out.
//!
//! The same inputs give the same bytes on every machine and any number of threads. Texts for people are left out:
//! a second implementation gives the same transcript, not the same words.

use std::io;

use recorder_core::hash::sha256;
use recorder_envelope::json::to_canonical;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::finding::{FindingCode, Phase, Place};
use crate::limits::{VerifyError, VerifyLimits};
use crate::phase::Counts;
use crate::report::{Report, Subject, UsedKey};
use crate::source::ReadAt;
use crate::verdict::{Answers, Verdict};

/// Bytes that are hashed at once.
const BUFFER_BYTES: usize = 128 << 10;

/// SHA-256 of what went into a verification, in hex.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct TranscriptInputs {
    bundle_sha256: String,
    known_heads_sha256: Vec<String>,
    limits_sha256: String,
    trust_root_sha256: Option<String>,
}

impl TranscriptInputs {
    /// Hashes the inputs: the bundle's bytes, the trust root's file, the known heads' files, the limits' canonical form.
    ///
    /// # Errors
    ///
    /// Where the bundle cannot be read.
    pub fn new(
        bundle: &dyn ReadAt,
        trust_root: Option<&[u8]>,
        known_heads: &[&[u8]],
        limits: &VerifyLimits,
    ) -> Result<Self, VerifyError> {
        let limits = to_canonical(limits).map_err(|_| DEFECT)?;
        Ok(Self {
            bundle_sha256: hash_source(bundle)?,
            known_heads_sha256: known_heads.iter().map(|head| hex(sha256(&[head]))).collect(),
            limits_sha256: hex(sha256(&[&limits])),
            trust_root_sha256: trust_root.map(|bytes| hex(sha256(&[bytes]))),
        })
    }

    /// SHA-256 of the bundle's bytes, in hex.
    pub fn bundle_sha256(&self) -> &str {
        &self.bundle_sha256
    }

    /// SHA-256 of each known head's file, in hex.
    pub fn known_heads_sha256(&self) -> &[String] {
        &self.known_heads_sha256
    }

    /// SHA-256 of the trust root's file, in hex.
    pub fn trust_root_sha256(&self) -> Option<&str> {
        self.trust_root_sha256.as_deref()
    }
}

const DEFECT: VerifyError = VerifyError::Defect("a transcript without canonical form");

fn hex(digest: [u8; 32]) -> String {
    recorder_core::hash::PartHash::from_bytes(digest).to_string()
}

fn hash_source(source: &dyn ReadAt) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut offset = 0;
    loop {
        let count = source.read_at(offset, &mut buffer)?;
        if count == 0 {
            return Ok(hex(hasher.finalize().into()));
        }
        hasher.update(&buffer[..count]);
        offset += count as u64;
    }
}

/// A transcript: `recorder.verification-transcript/v1`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transcript(Vec<u8>);

#[derive(Serialize)]
struct TranscriptObject<'a> {
    answers: &'a Answers,
    finding_count: u64,
    inputs: &'a TranscriptInputs,
    keys: Vec<UsedKey>,
    phases: Vec<PhaseObject>,
    subject: Option<&'a Subject>,
    #[serde(rename = "type")]
    kind: &'static str,
    verdict: Verdict,
}

#[derive(Serialize)]
struct PhaseObject {
    counts: Counts,
    finding_count: u64,
    findings: Vec<FindingObject>,
    phase: Phase,
    reached: bool,
}

#[derive(Serialize)]
struct FindingObject {
    code: FindingCode,
    place: Place,
}

impl Transcript {
    /// Writes down what `report` says of `inputs`.
    ///
    /// # Errors
    ///
    /// `Defect`, never but for a defect of the encoder.
    pub fn new(report: &Report, inputs: &TranscriptInputs) -> Result<Self, VerifyError> {
        let findings = report.findings();
        let phases = report.phases().into_iter().map(|summary| PhaseObject {
            findings: findings
                .iter()
                .filter(|finding| finding.phase() == summary.phase)
                .map(|finding| FindingObject {
                    code: finding.code(),
                    place: finding.place().clone(),
                })
                .collect(),
            counts: summary.counts,
            finding_count: summary.finding_count,
            phase: summary.phase,
            reached: summary.reached,
        });
        let object = TranscriptObject {
            answers: report.answers(),
            finding_count: report.finding_count(),
            inputs,
            keys: report.keys(),
            phases: phases.collect(),
            subject: report.subject(),
            kind: "recorder.verification-transcript/v1",
            verdict: report.verdict(),
        };
        to_canonical(&object).map(Self).map_err(|_| DEFECT)
    }

    /// The canonical JSON bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
