//! Verification of the archives that this program made, which must come out valid.
#![expect(clippy::disallowed_methods, reason = "opens the archives that this program made")]

use std::fs::File;
use std::path::Path;

use recorder_verify::{Integrity, Verdict, VerifyOptions, verify};

use crate::service::{self, Signing};

/// Verifies the archive at `path` with a trust root.
///
/// # Errors
///
/// When it is not valid: a fast verifier that does not verify proves nothing.
pub(crate) fn run(path: &Path, signing: Signing, threads: usize) -> anyhow::Result<()> {
    let trust_root = Some(service::trust_root()?);
    let options = VerifyOptions { trust_root, threads, ..VerifyOptions::default() };
    let report = verify(&File::open(path)?, &options, &mut |_| {})?;
    let expected = match signing {
        Signing::None => Verdict::ValidWithWarnings,
        Signing::Checkpoints | Signing::Envelopes => Verdict::Valid,
    };
    let holds = report.verdict() == expected && report.answers().integrity == Integrity::Intact;
    let place = path.display();
    anyhow::ensure!(holds, "{place} is {:?}: {:?}", report.verdict(), report.findings());
    Ok(())
}
