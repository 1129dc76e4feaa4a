//! The store: its size, how long it takes to open, how fast a bundle comes out of it, and what a proof costs.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

use recorder::Recorder;
use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::{ChainHash, TreeHash};
use recorder_envelope::merkle;

use super::Session;
use crate::clock::{Cost, Processor};
use crate::corpus::{self, Numbers, SEED};
use crate::data;
use crate::pairs::{Pairs, Repeat, Spread, compare};
use crate::report::{Gate, Row};
use crate::service::{self, Signing};

/// Measures the lanes.
pub(crate) fn run(session: &Session) -> anyhow::Result<Vec<Row>> {
    let (small, middle, large) =
        if session.quick { (1000, 10_000, 20_000) } else { (10_000, 200_000, 1_000_000) };
    let signing = Signing::Checkpoints;
    let small = session.data.store(signing, small)?;
    let middle = (session.data.store(signing, middle)?, middle);
    let large = (session.data.store(signing, large)?, large);
    let mut rows = vec![size(&large.0, large.1)?, open(&small, &large.0)?];
    rows.push(build(session, &middle.0)?);
    rows.extend(proof(&large.0, large.1)?);
    Ok(rows)
}

/// Bytes of the database a row, over bytes of its payload.
fn size(path: &Path, count: u64) -> anyhow::Result<Row> {
    let mut payload_bytes = 0;
    for index in 0..1000 {
        let request = corpus::request(SEED, index * (count / 1000).max(1));
        let prepared = service::prepare(&request.body, &recorder::ids::SystemIds)?;
        payload_bytes += prepared.payload().payload.as_bytes().len();
    }
    let payload = payload_bytes as f64 / 1000.0;
    let row = std::fs::metadata(path)?.len() as f64 / count as f64;
    eprintln!("{row:.0} bytes a row, {payload:.0} bytes a payload");
    let gate = Some(Gate::AtMost(1.6));
    Ok(Row::number("database bytes a row / payload bytes", "ratio", row / payload, None, gate))
}

/// Opens and checks the small and the large store in turn.
fn open(small: &Path, large: &Path) -> anyhow::Result<Row> {
    let pairs = Pairs { counted: 20, dropped: 2 };
    let open = |path: &Path| data::open(path, Signing::Checkpoints).map(drop);
    let (mut floor, mut candidate) = (Repeat(|| open(small)), Repeat(|| open(large)));
    let measured = compare(pairs, Processor::Process, &mut floor, &mut candidate)?;
    let gate = Some(Gate::AtLeast(0.5));
    Ok(Row::compared("open a large store, floor: open one of a hundredth", &measured, 1.0, gate))
}

/// Builds an archive of everything; the floor reads every row and writes as many bytes.
fn build(session: &Session, path: &Path) -> anyhow::Result<Row> {
    let recorder = data::open(path, Signing::Checkpoints)?;
    let target = session.scratch.join("built.recorder.zip");
    let create = || OpenOptions::new().write(true).create(true).truncate(true).open(&target);
    let built = data::build(&recorder, &mut spool(session)?, &mut create()?)?;
    let mut floor = Repeat(|| scan_and_write(&recorder, &mut create()?, built.size_bytes));
    let mut candidate = Repeat(|| {
        data::build(&recorder, &mut spool(session)?, &mut create()?)?;
        Ok(())
    });
    let pairs = Pairs { counted: if session.quick { 6 } else { 10 }, dropped: 2 };
    let measured = compare(pairs, Processor::Process, &mut floor, &mut candidate)?;
    std::fs::remove_file(&target)?;
    let items = built.envelope_count as f64;
    let gate = Some(Gate::AtLeast(0.5));
    Ok(Row::compared(
        "build an archive, floor: scan the rows, write the bytes",
        &measured,
        items,
        gate,
    ))
}

fn spool(session: &Session) -> anyhow::Result<File> {
    Ok(tempfile::tempfile_in(&session.scratch)?)
}

fn scan_and_write(recorder: &Recorder, out: &mut File, size_bytes: u64) -> anyhow::Result<()> {
    let everything = EnvelopeFilter::default();
    recorder.store().scan(&service::stream()?, &everything, 0..u64::MAX, &mut |envelope| {
        black_box(&envelope);
        ControlFlow::Continue(())
    })?;
    let chunk = vec![0x5a; 128 << 10];
    let mut left = size_bytes;
    while left > 0 {
        let count = left.min(chunk.len() as u64);
        out.write_all(chunk.get(..count as usize).unwrap_or_default())?;
        left -= count;
    }
    Ok(())
}

/// Makes and checks inclusion proofs of envelopes all over the log.
fn proof(path: &Path, count: u64) -> anyhow::Result<Vec<Row>> {
    let recorder = data::open(path, Signing::Checkpoints)?;
    let (store, stream) = (&**recorder.store(), service::stream()?);
    let root = merkle::root_at(&recorder.log_reader(&stream), count)?;
    let mut numbers = Numbers::new(SEED, count);
    let (mut made, mut checked, mut longest) = (Vec::new(), Vec::new(), 0);
    for _ in 0..200 {
        let position = numbers.below(count);
        // A reader of its own for each proof, as each request has one: only the log's right edge is remembered.
        let (path, cost) = Processor::Process.cost(|| {
            Ok(merkle::inclusion_proof(&recorder.log_reader(&stream), position, count)?)
        })?;
        made.push(cost);
        longest = longest.max(path.len() * size_of::<TreeHash>());
        let leaf = store.chain_hashes(&stream, position..position + 1)?;
        let leaf: &ChainHash = leaf.first().ok_or_else(|| anyhow::anyhow!("no leaf"))?;
        let verify = || {
            let leaf = merkle::leaf_hash(leaf);
            Ok(merkle::verify_inclusion(&leaf, position, count, &path, &root)?)
        };
        checked.push(Processor::Thread.cost(verify)?.1);
    }
    let milliseconds = |costs: &[Cost]| {
        Spread::of(costs.iter().map(|cost| cost.processor.as_secs_f64() * 1e3)).median
    };
    let row =
        |name, unit, value, most| Row::number(name, unit, value, None, Some(Gate::AtMost(most)));
    Ok(vec![
        row("inclusion proof in the large log: made", "ms", milliseconds(&made), 5.0),
        row("inclusion proof in the large log: verified", "ms", milliseconds(&checked), 1.0),
        row("inclusion proof in the large log: hashes", "bytes", longest as f64, 1023.0),
    ])
}
