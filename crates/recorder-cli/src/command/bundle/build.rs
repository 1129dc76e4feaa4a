//! `bundle build`: a selection of the stream, by flags or a selector file, as an archive or a document.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use recorder::Recorder;
use recorder::bundle::{AnchorAt, BuildRequest, Built, Compression, write_archive, write_document};
use recorder_core::filter::Range;
use recorder_core::hash::PartHash;
use recorder_core::identity::{
    ActorId, EnvelopeId, EventType, EventTypePrefix, SegmentId, SessionId, TraceId,
};
use recorder_core::limits::SELECTOR_BYTES_MAX;
use recorder_core::time::UtcTimestamp;
use recorder_envelope::selector::{EventTypeSelector, RangeOf, Selector};
use recorder_fs::{Access, AtomicFile, Overwrite};
use recorder_store::Store;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::command::query::{parse_positions, parse_prefix, range};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::say;
use crate::i18n::texts::label;
use crate::output::{Answer, Page, Tone};
use crate::progress::Progress;
use crate::settings::Settings;

/// What to put into a bundle. All conditions must hold; of one that is repeated, any may.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("selection").required(true).multiple(true).args([
    "all", "selector", "segment", "trace", "session", "actor", "event_type", "event_type_prefix",
    "envelope_id", "positions", "from", "to",
]))]
pub(crate) struct Build {
    /// Everything
    #[arg(long, conflicts_with_all = ["selector", "segment", "trace", "session", "actor", "event_type", "event_type_prefix", "envelope_id", "positions", "from", "to"])]
    all: bool,
    /// What a selector file selects
    #[arg(long, value_name = "FILE", conflicts_with_all = ["segment", "trace", "session", "actor", "event_type", "event_type_prefix", "envelope_id", "positions", "from", "to"])]
    selector: Option<PathBuf>,
    /// Segment
    #[arg(long, value_name = "ID")]
    segment: Vec<SegmentId>,
    /// Trace
    #[arg(long, value_name = "ID")]
    trace: Vec<TraceId>,
    /// Session
    #[arg(long, value_name = "ID")]
    session: Vec<SessionId>,
    /// Actor
    #[arg(long, value_name = "ID")]
    actor: Vec<ActorId>,
    /// Event type
    #[arg(long, value_name = "TYPE")]
    event_type: Vec<EventType>,
    /// Beginning of an event type, such as tool.
    #[arg(long, value_name = "PREFIX", value_parser = parse_prefix)]
    event_type_prefix: Vec<EventTypePrefix>,
    /// Envelope
    #[arg(long, value_name = "ID")]
    envelope_id: Vec<EnvelopeId>,
    /// Positions, such as 10..20, 10.. or ..20; the end is not included
    #[arg(long, value_name = "A..B", value_parser = parse_positions)]
    positions: Option<Range<u64>>,
    /// Claimed at or after this time
    #[arg(long, value_name = "TIME")]
    from: Option<UtcTimestamp>,
    /// Claimed before this time
    #[arg(long, value_name = "TIME")]
    to: Option<UtcTimestamp>,
    /// Where to write it
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
    /// Write one JSON document instead of an archive
    #[arg(long, conflicts_with = "deflate")]
    document: bool,
    /// Deflate what an archive holds, where that pays
    #[arg(long)]
    deflate: bool,
    /// Tie it to the oldest checkpoint of at least this size instead of the newest, for the same bytes while the log grows
    #[arg(long, value_name = "N")]
    log_size: Option<u64>,
    /// When it was built, for the same bytes each time [default: now]
    #[arg(long, value_name = "TIME")]
    created_at: Option<UtcTimestamp>,
}

#[derive(Serialize)]
struct BuiltAnswer {
    path: PathBuf,
    bundle_id: String,
    sha256: PartHash,
    size_bytes: u64,
    envelope_count: u64,
    segment_count: usize,
    attachment_count: usize,
    tree_size: u64,
    checkpointed: bool,
}

impl BuiltAnswer {
    fn new(path: PathBuf, built: &Built, sha256: PartHash) -> Self {
        Self {
            path,
            bundle_id: built.bundle_id.to_string(),
            sha256,
            size_bytes: built.size_bytes,
            envelope_count: built.envelope_count,
            segment_count: built.segment_count,
            attachment_count: built.attachment_count,
            tree_size: built.tree_size,
            checkpointed: built.checkpointed,
        }
    }
}

impl Answer for BuiltAnswer {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        let path = self.path.display().to_string();
        page.pieces(&[
            (Tone::Good, say!(locale, word.wrote)),
            (Tone::Plain, " "),
            (Tone::Plain, &path),
        ])?;
        page.field(&label::bundle, &self.bundle_id)?;
        page.field(&label::sha256, &self.sha256.to_string())?;
        page.field(&label::bytes, &self.size_bytes.to_string())?;
        page.field(&label::envelopes, &self.envelope_count.to_string())?;
        page.field(&label::segments, &self.segment_count.to_string())?;
        page.field(&label::attachments, &self.attachment_count.to_string())?;
        page.field(&label::log_size, &self.tree_size.to_string())?;
        if self.checkpointed {
            page.field(&label::checkpoint, say!(locale, build.checkpointed))
        } else {
            page.pieces(&[
                (Tone::Warning, say!(locale, build.no_checkpoint)),
                (Tone::Warning, ": "),
                (Tone::Plain, say!(locale, build.nobody_vouches)),
            ])
        }
    }
}

/// Where the store is read from: a writer that can sign a fresh checkpoint, or a reader.
enum Source {
    Writer(Box<Recorder>),
    Reader(std::sync::Arc<dyn Store>),
}

impl Source {
    fn store(&self) -> &dyn Store {
        match self {
            Self::Writer(recorder) => &**recorder.store(),
            Self::Reader(store) => &**store,
        }
    }
}

impl Build {
    /// Builds it.
    pub(crate) fn run(mut self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        let selector = self.take_selector()?;
        let overwrite = if self.force { Overwrite::Replace } else { Overwrite::Refuse };
        if !self.force && self.output.symlink_metadata().is_ok() {
            return Err(Failure::Exists { what: self.output.display().to_string() });
        }
        let mut file = HashingFile {
            file: AtomicFile::create(&self.output, Access::Shared)?,
            hash: Sha256::new(),
        };
        let source = source(context, &settings)?;
        let built = self.write(context, &settings, selector, &source, &mut file)?;
        file.file.commit(overwrite)?;
        let sha256 = PartHash::from_bytes(file.hash.finalize().into());
        context.output.answer(&BuiltAnswer::new(self.output, &built, sha256))?;
        Ok(Exit::Done)
    }

    fn write(
        &self,
        context: &Context,
        settings: &Settings,
        selector: Selector,
        source: &Source,
        out: &mut dyn Write,
    ) -> Result<Built, Failure> {
        let signer = match source {
            Source::Writer(recorder) => recorder.signer(),
            Source::Reader(_) => None,
        };
        let request = BuildRequest {
            stream: settings.stream.clone(),
            selector,
            created_at: self.created_at.unwrap_or_else(|| context.now().into()),
            anchor: match self.log_size {
                Some(tree_size) => AnchorAt::Oldest { tree_size },
                None => AnchorAt::Newest,
            },
            compression: if self.deflate { Compression::Deflate } else { Compression::Stored },
            signer,
        };
        let mut spool = recorder_fs::temp_spool(self.output.parent().filter(not_empty))?;
        let progress = Progress::count(&context.output, say!(context.locale(), build.progress));
        let mut heard = |envelopes| progress.set(envelopes);
        let write = if self.document { write_document } else { write_archive };
        Ok(write(source.store(), &request, &mut spool, out, &mut heard)?)
    }

    fn take_selector(&mut self) -> Result<Selector, Failure> {
        if let Some(path) = &self.selector {
            let bytes = recorder_fs::read_bounded(path, SELECTOR_BYTES_MAX)?;
            return Selector::parse(&bytes).map_err(Failure::Selector);
        }
        let take = std::mem::take::<Vec<TraceId>>;
        let mut conditions = vec![
            any(std::mem::take(&mut self.segment), |segment_id| Selector::Segment { segment_id }),
            any(take(&mut self.trace), |trace_id| Selector::Trace { trace_id }),
            any(std::mem::take(&mut self.session), |session_id| Selector::Session { session_id }),
            any(std::mem::take(&mut self.actor), |actor_id| Selector::Actor { actor_id }),
            any(self.event_types(), Selector::EventType),
            any(std::mem::take(&mut self.envelope_id), |id| Selector::Envelopes([id].into())),
        ];
        conditions.push(self.positions.map(|range| Selector::Positions(RangeOf::new(range))));
        let claimed = range(self.from, self.to)?;
        conditions.push(claimed.map(|range| Selector::ClaimedTime(RangeOf::new(range))));
        let mut conditions: Vec<Selector> = conditions.into_iter().flatten().collect();
        match (conditions.pop(), conditions.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                conditions.push(last);
                Ok(Selector::All(conditions))
            }
            (None, _) => Ok(Selector::everything()),
        }
    }

    fn event_types(&mut self) -> Vec<EventTypeSelector> {
        let exact = std::mem::take(&mut self.event_type).into_iter();
        let prefixes = std::mem::take(&mut self.event_type_prefix).into_iter();
        exact
            .map(EventTypeSelector::Equals)
            .chain(prefixes.map(EventTypeSelector::Prefix))
            .collect()
    }
}

fn not_empty(path: &&Path) -> bool {
    !path.as_os_str().is_empty()
}

/// One condition as it is, several as any of them.
fn any<T>(values: Vec<T>, condition: impl Fn(T) -> Selector) -> Option<Selector> {
    let mut conditions: Vec<Selector> = values.into_iter().map(condition).collect();
    match conditions.len() {
        0 => None,
        1 => conditions.pop(),
        _ => Some(Selector::Any(conditions)),
    }
}

/// With a signing key, a writer whose newest checkpoint covers everything; else a reader.
fn source(context: &Context, settings: &Settings) -> Result<Source, Failure> {
    if !context.has_signer(settings) {
        return Ok(Source::Reader(context.reader(settings)?));
    }
    let recorder = context.recorder(settings)?;
    match recorder.checkpoint(&settings.stream.tenant_id) {
        // An empty stream is refused by the builder, which says what is missing.
        Ok(_) | Err(recorder::SealError::NothingRecorded) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Source::Writer(Box::new(recorder)))
}

/// Hashes what it writes, so that the file is not read again.
struct HashingFile {
    file: AtomicFile,
    hash: Sha256,
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
