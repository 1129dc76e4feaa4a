//! Who notices: the verifier on a bundle; on a database its opening, the start, the whole read, and a bundle of it.
//!
//! A manipulation is noticed when the outcome is worse than for the honest copy.

use std::path::Path;
use std::sync::Arc;

use recorder::bundle::{AnchorAt, BuildError, BuildRequest, Compression, write_archive};
use recorder::clock::{Clock as _, SystemClock};
use recorder::guard::{self, HeadGuard};
use recorder::ids::SystemIds;
use recorder::{OpenError, Recorder, RecorderConfig, fsck};
use recorder_core::identity::{LogName, StreamId};
use recorder_envelope::checkpoint::{self, SignedCheckpoint};
use recorder_envelope::selector::Selector;
use recorder_envelope::signing::{PublicKey, SecretKey};
use recorder_envelope::trust_root::TrustRoot;
use recorder_store::{SqliteOptions, SqliteStore, Store};
use recorder_verify::{
    Completeness, Finding, FindingCode, Outcome, Report, Requirements, Severity, VerifyError,
    VerifyOptions,
};
use serde::Serialize;

use super::target::ARCHIVE_BYTES_MAX;
use super::victim::Victim;
use crate::failure::Failure;
use crate::i18n::Locale;

/// What gave a manipulation away.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Catch {
    /// Which layer.
    pub(crate) layer: Option<&'static str>,
    /// Which phase, where the layer has phases.
    pub(crate) phase: Option<&'static str>,
    /// Its stable code.
    pub(crate) code: Option<&'static str>,
    /// Where and what, in words.
    pub(crate) detail: Option<String>,
}

impl Catch {
    fn of_failure(layer: &'static str, failure: &Failure) -> Self {
        Self {
            layer: Some(layer),
            phase: None,
            code: Some(failure.class().code),
            detail: Some(failure.message(Locale::ENGLISH)),
        }
    }

    fn partial() -> Self {
        Self {
            layer: Some("bundle verify"),
            phase: Some("answers"),
            code: Some("partial"),
            detail: Some("the bundle is no longer called complete".to_owned()),
        }
    }

    fn of_finding(finding: &Finding) -> Self {
        let layer = match finding.code() {
            FindingCode::KnownHeadAhead | FindingCode::KnownHeadMismatch => "known head",
            _ => "bundle verify",
        };
        Self {
            layer: Some(layer),
            phase: Some(finding.phase().name()),
            code: Some(finding.code().code()),
            detail: Some(format!("{}: {}", finding.place(), finding.code().meaning())),
        }
    }
}

/// By what evidence is judged.
pub(crate) struct Judge {
    /// The keys that are trusted.
    pub(crate) trust_root: Option<TrustRoot>,
    /// The outcome for the honest bundle, where there is one.
    pub(crate) honest: Option<Outcome>,
    /// Whether the honest bundle is the whole log with every payload.
    pub(crate) honest_is_complete: bool,
}

/// How bad an outcome is.
fn badness(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Satisfied => 0,
        Outcome::Unproven => 1,
        Outcome::Invalid => 2,
    }
}

impl Judge {
    fn verify(&self, bundle: &[u8], heads: Vec<SignedCheckpoint>) -> Result<Report, VerifyError> {
        let options = VerifyOptions {
            trust_root: self.trust_root.clone(),
            known_heads: heads,
            ..VerifyOptions::default()
        };
        recorder_verify::verify(&bundle, &options, &mut |_| {})
    }

    /// Takes the outcome for the honest bundle as what every other is compared with.
    ///
    /// # Errors
    ///
    /// `Failure` where it could not be judged.
    pub(crate) fn compare_with(&mut self, honest: &[u8]) -> Result<(), Failure> {
        let report = self.verify(honest, Vec::new())?;
        // A broken bundle is compared with one that is not, so that what is wrong with it is said.
        let outcome = report.satisfies(&Requirements::default());
        self.honest = Some(outcome).filter(|outcome| *outcome != Outcome::Invalid);
        self.honest_is_complete = report.answers().completeness == Completeness::Complete;
        Ok(())
    }

    /// What gives a bundle away, to somebody who knows nothing but the trusted keys.
    ///
    /// # Errors
    ///
    /// `Failure` where it could not be judged.
    pub(crate) fn bundle(&self, bundle: &[u8]) -> Result<Option<Catch>, Failure> {
        self.judged(self.verify(bundle, Vec::new()))
    }

    /// What gives a bundle away to somebody who also kept the honest head.
    ///
    /// # Errors
    ///
    /// `Failure` where it could not be judged.
    pub(crate) fn bundle_beside_head(
        &self,
        bundle: &[u8],
        head: Option<&SignedCheckpoint>,
    ) -> Result<Option<Catch>, Failure> {
        self.judged(self.verify(bundle, head.into_iter().cloned().collect()))
    }

    fn judged(&self, verified: Result<Report, VerifyError>) -> Result<Option<Catch>, Failure> {
        let report = match verified {
            Ok(report) => report,
            // A refusal to do unbounded work is a refusal.
            Err(error @ VerifyError::Limit { .. }) => {
                return Ok(Some(Catch::of_failure("bundle verify", &Failure::from(error))));
            }
            Err(error) => return Err(error.into()),
        };
        // Without a trusted key nothing is proven of the honest evidence either.
        let unproven =
            if self.trust_root.is_none() { Outcome::Unproven } else { Outcome::Satisfied };
        let honest = badness(self.honest.unwrap_or(unproven));
        if badness(report.satisfies(&Requirements::default())) <= honest {
            let partial = report.answers().completeness != Completeness::Complete;
            return Ok((partial && self.honest_is_complete).then(Catch::partial));
        }
        let findings = report.findings();
        let failure = findings.iter().find(|finding| finding.severity() == Severity::Failure);
        Ok(failure.or(findings.first()).map(Catch::of_finding))
    }

    /// What gives a database away: the first layer that notices, in the order that a recorder meets them.
    ///
    /// # Errors
    ///
    /// `Failure` where it could not be judged.
    pub(crate) fn database(
        &self,
        path: &Path,
        config: &RecorderConfig,
        exporter: &Exporter<'_>,
    ) -> Result<Option<Catch>, Failure> {
        if let Some(catch) = start(path, config) {
            return Ok(Some(catch));
        }
        if let Some(catch) = self.read_all(path) {
            return Ok(Some(catch));
        }
        match exporter.export(path) {
            Exported::Bundle(bundle) => self.bundle(&bundle),
            Exported::Refused(catch) => Ok(Some(catch)),
            Exported::NotPossible => Ok(None),
            Exported::Failed(failure) => Err(failure),
        }
    }

    fn read_all(&self, path: &Path) -> Option<Catch> {
        let keys: Vec<PublicKey> =
            self.trust_root.iter().flat_map(TrustRoot::keys).map(|key| *key.public_key()).collect();
        let report = SqliteStore::open_read_only(path, &SqliteOptions::default())
            .map_err(|error| Failure::store(path, error))
            .and_then(|store| Ok(fsck::fsck(&store, &keys, &mut |_| {})?));
        match report {
            Ok(report) => report.findings.first().map(|finding| Catch {
                layer: Some("fsck"),
                phase: None,
                code: Some("store_corrupt"),
                detail: Some(format!("{}: {}", finding.place, finding.detail)),
            }),
            Err(failure) => Some(Catch::of_failure("fsck", &failure)),
        }
    }
}

/// What the head guard says of a database that it is told is the one that it has seen.
pub(crate) fn guard_says(
    path: &Path,
    config: &RecorderConfig,
    guard: &dyn HeadGuard,
) -> Option<Catch> {
    const LAYER: &str = "head guard";
    let failed = |failure: Failure| Some(Catch::of_failure(LAYER, &failure));
    let store = match SqliteStore::open_read_only(path, &SqliteOptions::default()) {
        Ok(store) => store,
        Err(error) => return failed(Failure::store(path, error)),
    };
    match guard::compare(&store, &config.log_name, &config.recorder_id, guard, None) {
        Ok(comparison) => {
            let problem = comparison.problems.into_iter().next()?;
            failed(Failure::Open(OpenError::Head(problem)))
        }
        Err(error) => failed(error.into()),
    }
}

/// Opens the database the way a recorder does that is about to write.
fn start(path: &Path, config: &RecorderConfig) -> Option<Catch> {
    let store = match SqliteStore::open(path, &SqliteOptions::default()) {
        Ok(store) => store,
        Err(error) => return Some(Catch::of_failure("store open", &Failure::store(path, error))),
    };
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    match Recorder::open(Arc::new(store), config.clone(), clock, ids, None) {
        Ok(_) => None,
        Err(error) => Some(Catch::of_failure("startup", &Failure::from(error))),
    }
}

/// Makes the bundle of a whole stream.
pub(crate) struct Exporter<'a> {
    /// The stream.
    pub(crate) stream: &'a StreamId,
    /// The first part of its checkpoints' origin.
    pub(crate) log_name: &'a LogName,
    /// The key that signs, where it is here.
    pub(crate) key: Option<&'a SecretKey>,
}

/// What came of it.
pub(crate) enum Exported {
    /// The archive.
    Bundle(Vec<u8>),
    /// The engine noticed that something is wrong.
    Refused(Catch),
    /// A stream that is signed is not exported without its key.
    NotPossible,
    /// The machine failed.
    Failed(Failure),
}

impl Exporter<'_> {
    /// Builds it from the database at `path`, and signs a checkpoint first where there is none.
    pub(crate) fn export(&self, path: &Path) -> Exported {
        match (self.try_export(path), self.key) {
            (Exported::Failed(Failure::Build(BuildError::CheckpointRequired)), Some(key)) => {
                let origin = checkpoint::origin(self.log_name.as_str(), self.stream);
                let signed = Victim::new(path.to_owned(), self.stream.clone())
                    .and_then(|victim| victim.add_checkpoint(key, &origin));
                match signed {
                    Ok(()) => self.try_export(path),
                    Err(error) => Exported::Failed(Failure::Attack(error.to_string())),
                }
            }
            (exported, _) => exported,
        }
    }

    fn try_export(&self, path: &Path) -> Exported {
        let store = match SqliteStore::open_read_only(path, &SqliteOptions::default()) {
            Ok(store) => store,
            Err(error) => {
                return Exported::Refused(Catch::of_failure(
                    "store open",
                    &Failure::store(path, error),
                ));
            }
        };
        let refused =
            |error| Exported::Refused(Catch::of_failure("bundle build", &Failure::Build(error)));
        match self.build(&store) {
            Ok(bundle) => Exported::Bundle(bundle),
            Err(Failure::Build(BuildError::SignerRequired)) => Exported::NotPossible,
            Err(Failure::Build(error @ (BuildError::Corrupt(_) | BuildError::Read(_)))) => {
                refused(error)
            }
            Err(failure) => Exported::Failed(failure),
        }
    }

    fn build(&self, store: &dyn Store) -> Result<Vec<u8>, Failure> {
        let request = BuildRequest {
            stream: self.stream.clone(),
            selector: Selector::everything(),
            created_at: SystemClock.now().into(),
            anchor: AnchorAt::Newest,
            compression: Compression::Stored,
            signer: self.key,
        };
        let mut spool = recorder_fs::temp_spool(None)?;
        let mut archive = Vec::new();
        write_archive(store, &request, &mut spool, &mut archive, &mut |_| {})?;
        if archive.len() as u64 > ARCHIVE_BYTES_MAX {
            return Err(Failure::Usage("a bundle of it is too large to be attacked".to_owned()));
        }
        Ok(archive)
    }
}
