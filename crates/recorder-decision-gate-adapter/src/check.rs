//! Whether what came in agrees with itself, level by level: the manifest alone, the bytes of the artifacts, records
//! with each other, the transcript with the runpack.
//!
//! A runpack is not signed, so all that can be shown is agreement. Deliberately absent: any repair.

pub(crate) mod artifacts;
pub(crate) mod link;
pub(crate) mod manifest;
pub(crate) mod records;
pub(crate) mod transcript;

use crate::finding::{Code, Findings};
use crate::source_form::{Agreement, Recomputed};

/// Compares a recomputed digest with the one that was written.
fn compare(
    findings: &mut Findings,
    code: Code,
    path: &str,
    recomputed: &Recomputed,
    written: Option<&str>,
) {
    match written.map(|written| recomputed.compare(written)) {
        Some(Agreement::Equal) => {}
        Some(Agreement::NotRecomputable) => findings.add(Code::DigestNotRecomputable, path),
        Some(Agreement::Different) | None => findings.add(code, path),
    }
}
