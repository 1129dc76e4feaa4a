//! `decision-gate`: what Decision Gate did, from a transcript and a runpack.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use recorder_core::identity::{ActorId, EventType};
use recorder_decision_gate_adapter::{DOCUMENT_BYTES_MAX, Input, Runpack, Settings, map, redactor};
use recorder_envelope::adapter::{Anomaly, Problems, Refused};
use recorder_fs::{FileError, TreeError, TreeLimits};

use super::ingest::{Ingest, Policy};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::{Locale, say};

/// The manifest's name, where nobody chose another.
const MANIFEST_NAME: &str = "manifest.json";

/// What a runpack's directory may hold: what the source bounds an artifact to, and far more files than it writes.
const RUNPACK: TreeLimits = TreeLimits {
    files_max: 1024,
    entries_max: 1024,
    depth_max: 4,
    file_bytes_max: 16 << 20,
    total_bytes_max: 48 << 20,
};

/// Records what Decision Gate did.
#[derive(Debug, Subcommand)]
pub(crate) enum DecisionGate {
    /// Record a transcript, a runpack, or both
    IngestFixture(IngestFixture),
}

/// Records a transcript, a runpack, or both.
#[derive(Args, Debug)]
pub(crate) struct IngestFixture {
    /// A fixture, a transcript (a list, a report or JSON Lines), or a runpack's directory; - reads standard input
    #[arg(value_name = "PATH|-")]
    path: PathBuf,
    /// The directory of the runpack that the transcript is of
    #[arg(long, value_name = "DIR")]
    runpack: Option<PathBuf>,
    /// The manifest's name in the runpack's directory
    #[arg(long, value_name = "NAME", default_value = MANIFEST_NAME)]
    manifest: String,
    /// What a problem with the input means
    #[arg(long, value_enum, default_value_t = Policy::StrictFail)]
    policy: Policy,
    /// Who made the calls that do not say it
    #[arg(long, value_name = "ID", default_value = "decision-gate-client")]
    client: ActorId,
    /// Other clients drove the run too: the runpack may hold calls that the transcript does not
    #[arg(long)]
    other_clients: bool,
}

impl DecisionGate {
    /// Records.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::IngestFixture(ingest) => ingest.run(context),
        }
    }
}

impl IngestFixture {
    /// Records and says what became of each record.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        let recorder = context.recorder(&settings)?;
        let keys = context.adapter_keys(&settings)?;
        let redactor =
            redactor(Some(keys.redaction)).map_err(|error| Failure::Internal(error.to_string()))?;
        let outcome = match self.read(context.locale())? {
            Ok(Read { document, runpack }) => {
                let input = Input { document: document.as_deref(), runpack };
                map(
                    input,
                    &Settings {
                        policy: self.policy.into(),
                        stream: &settings.stream,
                        salt_key: &keys.salt,
                        redactor: &redactor,
                        client: self.client.clone(),
                        others_may_call: self.other_clients,
                    },
                )
            }
            Err(anomaly) => {
                let problems = Problems { named: vec![anomaly], more: 0 };
                Err(Refused { problems, received: 1 })
            }
        };
        let ingest = Ingest {
            recorder: &recorder,
            stream: &settings.stream,
            salt_key: &keys.salt,
            policy: self.policy,
            is_record,
        };
        ingest.run(context, outcome)
    }

    /// Reads what is named; what is too large or unsafe to read is a problem of the input.
    fn read(&self, locale: Locale) -> Result<Result<Read, Anomaly>, Failure> {
        let stdin = self.path == Path::new("-");
        let directory = if !stdin && self.path.is_dir() { Some(&self.path) } else { None };
        if directory.is_some() && self.runpack.is_some() {
            let detail = say!(locale, ingest.runpack_twice);
            return Err(Failure::Usage(detail.to_owned()));
        }
        let document = match directory {
            Some(_) => None,
            None => match self.read_document(stdin)? {
                Ok(bytes) => Some(bytes),
                Err(anomaly) => return Ok(Err(anomaly)),
            },
        };
        let runpack = match directory.or(self.runpack.as_ref()) {
            Some(directory) => match self.read_runpack(directory)? {
                Ok(runpack) => Some(runpack),
                Err(anomaly) => return Ok(Err(anomaly)),
            },
            None => None,
        };
        Ok(Ok(Read { document, runpack }))
    }

    fn read_document(&self, stdin: bool) -> Result<Result<Vec<u8>, Anomaly>, Failure> {
        let limit = DOCUMENT_BYTES_MAX as u64;
        let read = match stdin {
            true => recorder_fs::read_stdin_bounded(limit),
            false => recorder_fs::read_bounded(&self.path, limit),
        };
        match read {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(FileError::TooLarge { .. }) => {
                let detail = format!("more than {limit} bytes");
                Ok(Err(Anomaly::new("fixture_too_large", "document", detail)))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn read_runpack(&self, directory: &Path) -> Result<Result<Runpack<'static>, Anomaly>, Failure> {
        let mut files = match recorder_fs::read_tree(directory, &RUNPACK) {
            Ok(files) => files,
            Err(TreeError::File(error)) => return Err(error.into()),
            Err(error) => return Ok(Err(refused_tree(directory, &error))),
        };
        let manifest = files.remove(&self.manifest).map(Cow::Owned);
        let files = files.into_iter().map(|(path, bytes)| (path, Cow::Owned(bytes))).collect();
        Ok(Ok(Runpack { manifest, files }))
    }
}

/// What was read.
struct Read {
    document: Option<Vec<u8>>,
    runpack: Option<Runpack<'static>>,
}

/// Whether an event stands for a record, and not for what was wrong.
fn is_record(event_type: &EventType) -> bool {
    !event_type.as_str().starts_with("decision_gate.integration.")
}

fn refused_tree(directory: &Path, error: &TreeError) -> Anomaly {
    let (code, path) = match error {
        TreeError::Link { path }
        | TreeError::HardLinked { path, .. }
        | TreeError::NotRegular { path }
        | TreeError::NotUtf8 { path } => ("path_unsafe", path.as_path()),
        TreeError::TooMuch { path, .. } => ("runpack_too_large", path.as_path()),
        TreeError::File(_) => ("runpack_unreadable", directory),
    };
    let place = path.strip_prefix(directory).unwrap_or(path);
    let place = if place.as_os_str().is_empty() { Path::new("runpack") } else { place };
    Anomaly::new(code, place.display(), error)
}
