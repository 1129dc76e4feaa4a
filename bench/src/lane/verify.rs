//! Verification: against reading, parsing and hashing; on two threads; of signed envelopes.

use std::hint::black_box;
use std::path::Path;

use anyhow::Context as _;
use ed25519_dalek::{Signature, VerifyingKey};
use recorder_core::identity::StreamId;
use recorder_envelope::signing::envelope_message;

use super::Session;
use crate::clock::{Processor, monotonic};
use crate::machine::Busy;
use crate::pairs::{Measured, Pairs, Repeat, compare};
use crate::report::{Gate, Row};
use crate::service::{self, Signing};
use crate::{data, floor_archive, verification};

/// Processors that others may use before a pair on the wall no longer counts.
const OTHERS_MAX: f64 = 0.25;

/// Measures the lanes.
pub(crate) fn run(session: &Session) -> anyhow::Result<Vec<Row>> {
    let count = if session.quick { 10_000 } else { 200_000 };
    let pairs = Pairs { counted: if session.quick { 12 } else { 20 }, dropped: 2 };
    let signed = session.data.archive(Signing::Checkpoints, count)?;
    let unsigned = session.data.archive(Signing::None, count)?;
    let items = count as f64;
    let floor = || Repeat(|| ensure_lines(floor_archive::pass(&signed)?, count));
    let once = |path, signing, threads| Repeat(move || verification::run(path, signing, threads));
    let one = || once(signed.as_path(), Signing::Checkpoints, 1);

    let even = compare(pairs, Processor::Thread, &mut floor(), &mut floor())?;
    let whole = compare(pairs, Processor::Process, &mut floor(), &mut one())?;
    let bare = compare(
        pairs,
        Processor::Process,
        &mut once(unsigned.as_path(), Signing::None, 1),
        &mut one(),
    )?;
    Ok(vec![
        Row::compared(
            "A/A: read, hash and parse against itself",
            &even,
            items,
            Some(Gate::Within(0.95, 1.05)),
        ),
        Row::compared(
            "verify, 1 thread, floor: read, hash and parse",
            &whole,
            items,
            Some(Gate::AtLeast(0.8)),
        ),
        Row::compared(
            "verify checkpoint-signed, floor: verify unsigned",
            &bare,
            items,
            Some(Gate::AtLeast(0.95)),
        ),
        two_threads(&signed, items, pairs)?,
        every_envelope(session)?,
    ])
}

fn ensure_lines(found: u64, expected: u64) -> anyhow::Result<()> {
    anyhow::ensure!(found == expected, "{found} lines instead of {expected}");
    Ok(())
}

/// One thread against two, on the wall: only pairs count during which others left the processors alone.
fn two_threads(path: &Path, items: f64, pairs: Pairs) -> anyhow::Result<Row> {
    let (mut quiet, mut all) = (Measured::default(), Measured::default());
    let verify = |threads| Repeat(move || verification::run(path, Signing::Checkpoints, threads));
    let began = monotonic();
    while quiet.count() < pairs.counted && (monotonic() - began).as_secs() < 60 {
        let busy = Busy::now()?;
        // Two pairs at once, so that neither side always comes first.
        let taken = compare(
            Pairs { counted: 2, dropped: 0 },
            Processor::Process,
            &mut verify(1),
            &mut verify(2),
        )?;
        if busy.others_since()? <= OTHERS_MAX {
            quiet.extend(&taken);
        }
        all.extend(&taken);
    }
    let name = "verify, 2 threads, floor: 1 thread (on the wall)";
    let gate = Some(Gate::AtLeast(1.7));
    if quiet.count() < 6 {
        eprintln!("others kept the processors busy: two threads are not judged");
        return Ok(Row::compared(name, &all, items, gate).by_wall().unjudged());
    }
    Ok(Row::compared(name, &quiet, items, gate).by_wall())
}

/// Archives in which every envelope is signed, against nothing but the checks of those signatures.
fn every_envelope(session: &Session) -> anyhow::Result<Row> {
    let count = if session.quick { 1000 } else { 20_000 };
    let store = session.data.store(Signing::Envelopes, count)?;
    let archive = session.data.archive(Signing::Envelopes, count)?;
    let signatures = signatures(&store, &service::stream()?)?;
    let key = VerifyingKey::from_bytes(service::signer()?.public_key().as_bytes())?;
    let mut floor = Repeat(|| {
        for (message, signature) in &signatures {
            key.verify_strict(black_box(message), signature)?;
        }
        Ok(())
    });
    let mut candidate = Repeat(|| verification::run(&archive, Signing::Envelopes, 1));
    let pairs = Pairs { counted: if session.quick { 12 } else { 16 }, dropped: 1 };
    let measured = compare(pairs, Processor::Process, &mut floor, &mut candidate)?;
    let name = "verify, every envelope signed, floor: bare verify_strict";
    Ok(Row::compared(name, &measured, count as f64, Some(Gate::AtLeast(0.85))))
}

/// Message and signature of every envelope.
fn signatures(path: &Path, stream: &StreamId) -> anyhow::Result<Vec<(Vec<u8>, Signature)>> {
    let recorder = data::open(path, Signing::Envelopes)?;
    let mut found = Vec::new();
    recorder.store().scan(stream, &Default::default(), 0..u64::MAX, &mut |envelope| {
        let message = envelope_message(&envelope.content_hash, &envelope.chain_hash);
        let value = envelope.signature.map(|signature| Signature::from_bytes(signature.value()));
        found.push((message, value));
        std::ops::ControlFlow::Continue(())
    })?;
    found
        .into_iter()
        .map(|(message, value)| Ok((message, value.context("an envelope without signature")?)))
        .collect()
}
