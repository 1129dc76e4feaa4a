//! `openclaw`: what an OpenClaw gateway did, from its stream and its ledger.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use recorder_core::identity::EventType;
use recorder_openclaw_adapter::{Settings, Stream, redactor};

use super::ingest::{Ingest, Ingested, Policy};
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Bytes that are read at once, and so the most that one look at a pipe may hold back.
const CHUNK_BYTES: usize = 1 << 20;

/// Records what an OpenClaw gateway did.
#[derive(Debug, Subcommand)]
pub(crate) enum Openclaw {
    /// Record the frames of a gateway and the rows of its ledger
    IngestStream(IngestStream),
}

/// Records the frames of a gateway and the rows of its ledger.
#[derive(Args, Debug)]
pub(crate) struct IngestStream {
    /// The lines of a tap; - reads standard input, and records what came while more may come
    #[arg(value_name = "FILE|-")]
    input: PathBuf,
    /// What a problem with the input means
    #[arg(long, value_enum, default_value_t = Policy::StrictFail)]
    policy: Policy,
}

impl Openclaw {
    /// Records.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::IngestStream(ingest) => ingest.run(context),
        }
    }
}

impl IngestStream {
    /// Records and says what became of each line.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        let recorder = context.recorder(&settings)?;
        let keys = context.adapter_keys(&settings)?;
        let redactor =
            redactor(Some(keys.redaction)).map_err(|error| Failure::Internal(error.to_string()))?;
        let mut stream = Stream::new(&Settings {
            policy: self.policy.into(),
            stream: &settings.stream,
            salt_key: &keys.salt,
            redactor: &redactor,
        });
        let ingest = Ingest {
            recorder: &recorder,
            stream: &settings.stream,
            salt_key: &keys.salt,
            policy: self.policy,
            is_record,
        };
        let mut ingested = Ingested::default();
        self.each_chunk(|bytes| {
            stream.push(bytes);
            ingest.part(stream.take_events(), &mut ingested)
        })?;
        match (self.policy, stream.finish()) {
            // Only now is it known that nothing is wrong, or what.
            (Policy::StrictFail, outcome) | (Policy::RecordAnomaly, outcome @ Err(_)) => {
                ingest.run(context, outcome)
            }
            (Policy::RecordAnomaly, Ok(outcome)) => {
                ingest.part(outcome.events, &mut ingested)?;
                ingested.end(outcome.rejected, outcome.skipped, outcome.problems);
                ingested.answer(context)
            }
        }
    }

    /// Hands on the input as it comes.
    fn each_chunk(&self, take: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        if self.input == Path::new("-") {
            return each_chunk_of(io::stdin().lock(), take);
        }
        each_chunk_of(recorder_fs::open_read(&self.input)?, take)
    }
}

fn each_chunk_of(
    mut reader: impl Read,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => take(chunk.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::Input(error)),
        }
    }
}

/// Whether an event stands for a line, and not for what was wrong or for the stream itself.
fn is_record(event_type: &EventType) -> bool {
    !event_type.as_str().starts_with("openclaw.stream.")
}
