//! Ingest: from a request's bytes to a durable commit, and the engine's part of it alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use recorder::ids::SystemIds;
use recorder::{Recorder, Submission};
use recorder_core::identity::TenantId;

use super::Session;
use crate::clock::Processor;
use crate::corpus::{self, SEED};
use crate::floor_database::FloorDatabase;
use crate::pairs::{Measured, Pairs, Side, compare};
use crate::report::{Gate, Row};
use crate::service::{self, BATCH, Signing};

/// Sizes of the lane: blocks of some 20 ms, and enough of them that the log is folded into the file many times.
struct Sizes {
    block_rows: u64,
    pairs: Pairs,
}

/// Measures the lanes.
pub(crate) fn run(session: &Session) -> anyhow::Result<Vec<Row>> {
    let sizes = if session.quick {
        Sizes { block_rows: 512, pairs: Pairs { counted: 12, dropped: 2 } }
    } else {
        Sizes { block_rows: 2048, pairs: Pairs { counted: 44, dropped: 2 } }
    };
    let items = sizes.block_rows as f64;
    let mut rows = Vec::new();
    let even =
        measure(session, &sizes, |path, rows| Ok(Box::new(FloorDatabase::create(path, rows)?)))?;
    rows.push(Row::compared(
        "A/A: insert of sealed rows against itself",
        &even,
        items,
        Some(Gate::Within(0.95, 1.05)),
    ));
    let whole =
        measure(session, &sizes, |path, rows| Ok(Box::new(Whole(Engine::create(path, rows)?))))?;
    rows.push(Row::compared(
        "ingest, bytes to durable commit, floor: insert of sealed rows",
        &whole,
        items,
        Some(Gate::AtLeast(0.65)),
    ));
    let append = measure(session, &sizes, |path, rows| {
        Ok(Box::new(Append { engine: Engine::create(path, rows)?, batches: Vec::new() }))
    })?;
    rows.push(Row::compared(
        "append_batch alone, floor: insert of sealed rows",
        &append,
        items,
        Some(Gate::AtLeast(0.9)),
    ));
    rows.push(raw(session, &sizes)?);
    Ok(rows)
}

/// Pairs what `candidate` makes with a floor in a database of its own, beside the candidate's.
fn measure(
    session: &Session,
    sizes: &Sizes,
    candidate: impl FnOnce(&Path, u64) -> anyhow::Result<Box<dyn Side>>,
) -> anyhow::Result<Measured> {
    let directory = tempfile::tempdir_in(&session.scratch)?;
    let rows = sizes.block_rows;
    let mut floor = FloorDatabase::create(&directory.path().join("floor.db"), rows)?;
    let mut candidate = candidate(&directory.path().join("candidate.db"), rows)?;
    compare(sizes.pairs, Processor::Process, &mut floor, &mut *candidate)
}

/// The engine and what the next block gives it.
struct Engine {
    recorder: Recorder,
    tenant: TenantId,
    next_index: u64,
    block_rows: u64,
    bodies: Vec<Vec<u8>>,
}

impl Engine {
    fn create(path: &Path, block_rows: u64) -> anyhow::Result<Self> {
        let recorder = service::create(path, Signing::Checkpoints)?;
        let tenant = service::tenant()?;
        Ok(Self { recorder, tenant, next_index: 0, block_rows, bodies: Vec::new() })
    }

    fn receive(&mut self) {
        let next = self.next_index..self.next_index + self.block_rows;
        self.next_index = next.end;
        self.bodies = next.map(|index| corpus::request(SEED, index).body).collect();
    }

    fn append(&self, batch: Vec<Submission>) -> anyhow::Result<()> {
        let count = batch.len();
        let receipts = self.recorder.append_batch(&self.tenant, batch)?;
        anyhow::ensure!(receipts.len() == count, "an envelope without a receipt");
        Ok(())
    }
}

/// Everything from the bytes on.
struct Whole(Engine);

impl Side for Whole {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.0.receive();
        Ok(())
    }

    fn block(&mut self) -> anyhow::Result<()> {
        for bodies in self.0.bodies.chunks(BATCH) {
            self.0.append(service::prepare_batch(bodies, &SystemIds)?)?;
        }
        Ok(())
    }
}

/// The writer's part alone.
struct Append {
    engine: Engine,
    batches: Vec<Vec<Submission>>,
}

impl Side for Append {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.engine.receive();
        let batches = self.engine.bodies.chunks(BATCH);
        self.batches = batches
            .map(|bodies| service::prepare_batch(bodies, &SystemIds))
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn block(&mut self) -> anyhow::Result<()> {
        for batch in std::mem::take(&mut self.batches) {
            self.engine.append(batch)?;
        }
        Ok(())
    }
}

/// The floor below the floor: the same bytes appended to a file, made durable batch by batch.
struct RawLog {
    file: File,
    next_index: u64,
    block_rows: u64,
    batches: Vec<Vec<u8>>,
}

impl Side for RawLog {
    fn prepare(&mut self) -> anyhow::Result<()> {
        let next = self.next_index..self.next_index + self.block_rows;
        self.next_index = next.end;
        let bodies = next.map(|index| corpus::request(SEED, index).body).collect::<Vec<_>>();
        self.batches = bodies.chunks(BATCH).map(<[Vec<u8>]>::concat).collect();
        Ok(())
    }

    fn block(&mut self) -> anyhow::Result<()> {
        for batch in &self.batches {
            self.file.write_all(batch)?;
            self.file.sync_data()?;
        }
        Ok(())
    }
}

/// How far the whole of ingest is from the disk itself.
fn raw(session: &Session, sizes: &Sizes) -> anyhow::Result<Row> {
    let directory = tempfile::tempdir_in(&session.scratch)?;
    let path = directory.path().join("floor.log");
    let mut floor = RawLog {
        file: OpenOptions::new().create_new(true).append(true).open(path)?,
        next_index: 0,
        block_rows: sizes.block_rows,
        batches: Vec::new(),
    };
    let mut candidate =
        Whole(Engine::create(&directory.path().join("candidate.db"), sizes.block_rows)?);
    let measured = compare(sizes.pairs, Processor::Process, &mut floor, &mut candidate)?;
    let name = "ingest, floor: append of the same bytes + fdatasync";
    Ok(Row::compared(name, &measured, sizes.block_rows as f64, None))
}
