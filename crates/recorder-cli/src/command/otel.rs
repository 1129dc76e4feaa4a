//! `otel`: OpenTelemetry traces and logs, as an exporter sent them.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use recorder_core::identity::{ActorId, EnvironmentId, EventType};
use recorder_envelope::adapter::{AdapterKeys, Outcome, RedactionKey};
use recorder_envelope::redaction::{Bounds as RedactionBounds, Redactor};
use recorder_fs::FileError;
use recorder_otel_adapter::{
    ANOMALY_EVENT_TYPE, Adapter, Bounds, Coding, Door, Encoding, LogBody, Refusal, Settings,
    redaction_policy,
};

use super::ingest::{Ingest, Policy};
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Records OpenTelemetry.
#[derive(Debug, Subcommand)]
pub(crate) enum Otel {
    /// Record the body of an export request
    IngestFixture(IngestFixture),
}

/// Records the body of an export request.
#[derive(Args, Debug)]
pub(crate) struct IngestFixture {
    /// A body as an exporter sent it: OTLP/JSON or OTLP/protobuf, gzip or not; - reads standard input
    #[arg(value_name = "FILE|-")]
    path: PathBuf,
    /// What a problem with the input means
    #[arg(long, value_enum, default_value_t = Policy::StrictFail)]
    policy: Policy,
    /// What becomes of the bodies of log records
    #[arg(long, value_enum, default_value_t = Body::Digest)]
    log_body: Body,
    /// Who acted where neither agent nor service say it
    #[arg(long, value_name = "ID", default_value = "otel:unknown")]
    actor: ActorId,
    /// Where it happened where the resource does not say it
    #[arg(long, value_name = "ID", default_value = "unspecified")]
    environment: EnvironmentId,
}

/// What becomes of the bodies of log records.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Body {
    /// Removed; its size and its keyed digest stay
    Digest,
    /// Shown without the secrets that are found in it
    Redact,
    /// Shown as it came
    Keep,
}

impl From<Body> for LogBody {
    fn from(body: Body) -> Self {
        match body {
            Body::Digest => Self::Digest,
            Body::Redact => Self::Redact,
            Body::Keep => Self::Keep,
        }
    }
}

impl Otel {
    /// Records.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::IngestFixture(ingest) => ingest.run(context),
        }
    }
}

impl IngestFixture {
    /// Records and says what became of each record.
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        let recorder = context.recorder(&settings)?;
        let keys = context.adapter_keys(&settings)?;
        let AdapterKeys { salt, redaction } = keys;
        let adapter = Adapter::new(Settings {
            stream: settings.stream.clone(),
            actor_id: self.actor.clone(),
            environment_id: self.environment.clone(),
            salt_key: salt.clone(),
            redactor: redactor(redaction)?,
            log_body: self.log_body.into(),
            policy: self.policy.into(),
            bounds: Bounds::default(),
        })
        .map_err(Failure::Identity)?;
        let outcome = self.map(&adapter)?.map_err(Refusal::into_refused);
        let ingest = Ingest {
            recorder: &recorder,
            stream: &settings.stream,
            salt_key: &salt,
            policy: self.policy,
            is_record,
        };
        ingest.run(context, outcome)
    }

    fn map(&self, adapter: &Adapter) -> Result<Result<Outcome, Refusal>, Failure> {
        let bytes_max = adapter.settings().bounds.body_bytes_max;
        let limit = bytes_max as u64;
        let read = match self.path == Path::new("-") {
            true => recorder_fs::read_stdin_bounded(limit),
            false => recorder_fs::read_bounded(&self.path, limit),
        };
        let file = match read {
            Ok(file) => file,
            Err(FileError::TooLarge { .. }) => return Ok(Err(Refusal::BodyTooLarge { bytes_max })),
            Err(error) => return Err(error.into()),
        };
        let body = Coding::of_file(&file).decode(&file, bytes_max);
        Ok(body.and_then(|body| adapter.map(&body, Encoding::of_file(&body), Door::Ingest)))
    }
}

/// What takes secrets out, by the adapter's own policy.
pub(crate) fn redactor(key: RedactionKey) -> Result<Redactor, Failure> {
    let policy = redaction_policy().map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(Redactor::new(policy, RedactionBounds::DEFAULT, Some(key)))
}

/// Whether an event stands for a record, and not for what was wrong.
fn is_record(event_type: &EventType) -> bool {
    event_type.as_str() != ANOMALY_EVENT_TYPE
}
