//! `segment`: opening and sealing by hand, and what there is.

use std::io;

use clap::{Args, Subcommand};
use recorder::SealReceipt;
use recorder_core::hash::{ChainHash, SealHash, TreeHash};
use recorder_core::identity::SegmentId;
use recorder_core::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use recorder_core::time::RecordedAt;
use recorder_envelope::segment::{SealReason, SegmentGenesis, SigningPromise};
use recorder_store::{SegmentRecord, StreamHead};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::label;
use crate::i18n::{Locale, say};
use crate::output::{Answer, Page, Tone};

/// Looks after segments.
#[derive(Debug, Subcommand)]
pub(crate) enum Segment {
    /// Open a segment; recording opens one by itself when none is open
    Open,
    /// Seal the open segment
    Seal,
    /// Say where the stream stands
    Status,
    /// List segments, the first first
    List(List),
}

/// Which segments.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Index of the first one
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// How many, at most
    #[arg(long, value_name = "N", default_value_t = PAGE_SIZE_DEFAULT as u64, value_parser = clap::value_parser!(u64).range(1..=PAGE_SIZE_MAX as u64))]
    limit: u64,
}

#[derive(Serialize)]
struct Opened {
    segment_id: SegmentId,
}

impl Answer for Opened {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let opened = say!(page.locale(), segment.opened);
        let id = self.segment_id.to_string();
        page.pieces(&[(Tone::Good, opened), (Tone::Plain, " "), (Tone::Plain, &id)])
    }
}

impl Answer for SealReceipt {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.field(&label::sealed, &self.segment_id.to_string())?;
        page.field(&label::envelopes, &self.envelope_count.to_string())?;
        page.field(&label::chain_head, &self.chain_head.to_string())?;
        page.field(&label::seal_hash, &self.seal_hash.to_string())?;
        page.field(&label::log_size, &self.tree_size.to_string())?;
        page.field(&label::log_root, &self.root_hash.to_string())?;
        let signed = match self.signed {
            true => say!(page.locale(), word.yes),
            false => say!(page.locale(), segment.unsigned),
        };
        page.field(&label::signed, signed)
    }
}

/// One segment in a list.
#[derive(Serialize)]
struct Row {
    segment_id: SegmentId,
    segment_index: u64,
    first_position: u64,
    envelope_count: u64,
    opened_at: RecordedAt,
    signing: SigningPromise,
    chain_head: Option<ChainHash>,
    seal_hash: Option<SealHash>,
    sealed_at: Option<RecordedAt>,
    reason: Option<SealReason>,
    signed: bool,
}

impl Row {
    fn new(record: &SegmentRecord) -> Self {
        let seal = record.seal.as_ref();
        Self {
            chain_head: record.chain_head,
            seal_hash: seal.map(|signed| signed.seal.hash()),
            sealed_at: seal.map(|signed| signed.seal.sealed_at),
            reason: seal.map(|signed| signed.seal.reason),
            signed: seal.is_some_and(|signed| signed.signature.is_some()),
            ..Self::open(&record.genesis, record.envelope_count)
        }
    }

    fn open(genesis: &SegmentGenesis, envelope_count: u64) -> Self {
        Self {
            segment_id: genesis.segment_id,
            segment_index: genesis.segment_index,
            first_position: genesis.first_position,
            envelope_count,
            opened_at: genesis.opened_at,
            signing: genesis.signing,
            chain_head: None,
            seal_hash: None,
            sealed_at: None,
            reason: None,
            signed: false,
        }
    }

    fn cells(&self, locale: Locale) -> Vec<String> {
        let state = match (self.sealed_at, self.signed) {
            (None, _) => say!(locale, segment.state_open).to_owned(),
            (Some(at), true) => say!(locale, segment.state_signed, time = at),
            (Some(at), false) => say!(locale, segment.state_unsigned, time = at),
        };
        vec![
            self.segment_index.to_string(),
            self.segment_id.to_string(),
            self.first_position.to_string(),
            self.envelope_count.to_string(),
            state,
        ]
    }
}

#[derive(Serialize)]
struct Listed {
    segments: Vec<Row>,
    next_index: Option<u64>,
}

impl Answer for Listed {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        if self.segments.is_empty() {
            return page.line(say!(locale, segment.no_segments));
        }
        let rows: Vec<Vec<String>> = self.segments.iter().map(|row| row.cells(locale)).collect();
        let header = [
            say!(locale, column.index),
            say!(locale, column.segment),
            say!(locale, column.first_position),
            say!(locale, column.envelopes),
            say!(locale, column.state),
        ];
        page.table(&header, &rows)?;
        match self.next_index {
            Some(index) => page.line(&say!(locale, segment.more_follow, index = index)),
            None => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Status {
    tenant_id: String,
    recorder_id: String,
    envelope_count: u64,
    segment_count: u64,
    chain_head: Option<ChainHash>,
    last_recorded_at: Option<RecordedAt>,
    open_segment: Option<Row>,
    last_sealed_segment: Option<Row>,
    checkpoint_size: Option<u64>,
    checkpoint_root: Option<TreeHash>,
}

impl Status {
    fn of(head: &StreamHead, tenant_id: String, recorder_id: String) -> Self {
        let open = head.open_segment.as_ref();
        let open = open.map(|open| Row {
            chain_head: head.chain_head.filter(|_| open.envelope_count > 0),
            ..Row::open(&open.genesis, open.envelope_count)
        });
        Self {
            tenant_id,
            recorder_id,
            envelope_count: head.next_position,
            segment_count: head.segment_count,
            chain_head: head.chain_head,
            last_recorded_at: head.last_recorded_at,
            open_segment: open,
            last_sealed_segment: head.last_sealed.as_ref().map(Row::new),
            checkpoint_size: head.checkpoint.as_ref().map(|checkpoint| checkpoint.tree_size),
            checkpoint_root: head.checkpoint.as_ref().map(|checkpoint| checkpoint.root_hash),
        }
    }
}

impl Answer for Status {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.field(&label::stream, &format!("{}/{}", self.tenant_id, self.recorder_id))?;
        page.field(&label::envelopes, &self.envelope_count.to_string())?;
        page.field(&label::segments, &self.segment_count.to_string())?;
        let locale = page.locale();
        let text =
            |value: Option<String>| value.unwrap_or_else(|| say!(locale, word.none).to_owned());
        page.field(
            &label::last_recorded_at,
            &text(self.last_recorded_at.map(|at| at.to_string())),
        )?;
        page.field(&label::chain_head, &text(self.chain_head.map(|hash| hash.to_string())))?;
        let segment = |row: &Row| {
            say!(locale, segment.with_count, id = row.segment_id, count = row.envelope_count)
        };
        page.field(&label::open_segment, &text(self.open_segment.as_ref().map(segment)))?;
        page.field(&label::last_sealed, &text(self.last_sealed_segment.as_ref().map(segment)))?;
        let behind = |size: u64| match self.envelope_count.saturating_sub(size) {
            0 => say!(locale, segment.covers_all, size = size),
            rest => say!(locale, segment.behind, size = size, count = rest),
        };
        page.field(&label::checkpoint, &text(self.checkpoint_size.map(behind)))?;
        page.field(
            &label::checkpoint_root,
            &text(self.checkpoint_root.map(|root| root.to_string())),
        )
    }
}

impl Segment {
    /// Opens, seals or looks.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        let tenant_id = &settings.stream.tenant_id;
        match self {
            Self::Open => {
                let segment_id = context.recorder(&settings)?.open_segment(tenant_id)?;
                context.output.answer(&Opened { segment_id })?;
            }
            Self::Seal => {
                let recorder = context.recorder(&settings)?;
                context.output.answer(&recorder.seal_segment(tenant_id, SealReason::Manual)?)?;
            }
            Self::Status => {
                let head = context.reader(&settings)?.head(&settings.stream)?;
                let head = head.ok_or_else(|| Failure::no_stream(&settings.stream))?;
                let recorder_id = settings.stream.recorder_id.to_string();
                context.output.answer(&Status::of(&head, tenant_id.to_string(), recorder_id))?;
            }
            Self::List(list) => {
                let store = context.reader(&settings)?;
                let to = list.from.saturating_add(list.limit);
                let records = store.segments(&settings.stream, list.from..to)?;
                let head = store.head(&settings.stream)?;
                let more = head.is_some_and(|head| head.segment_count > to);
                let segments = records.iter().map(Row::new).collect();
                context.output.answer(&Listed { segments, next_index: more.then_some(to) })?;
            }
        }
        Ok(Exit::Done)
    }
}
