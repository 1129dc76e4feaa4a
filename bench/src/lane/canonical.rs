//! The canonicaliser against the public crate that does the same.

use std::hint::black_box;

use recorder_envelope::json::{Canonicalizer, JsonLimits};

use super::Session;
use crate::clock::Processor;
use crate::corpus::{self, SEED};
use crate::pairs::{Pairs, Repeat, compare};
use crate::report::{Gate, Row};

/// Payloads in a block.
const PAYLOADS: u64 = 1000;

/// Measures the lane.
pub(crate) fn run(session: &Session) -> anyhow::Result<Vec<Row>> {
    let payloads =
        (0..PAYLOADS).map(|index| corpus::request(SEED, index).payload).collect::<Vec<_>>();
    check_agreement(&payloads)?;
    let mut floor = Repeat(|| {
        for payload in &payloads {
            black_box(reference(payload)?);
        }
        Ok(())
    });
    let (mut canonicalizer, mut out) = (Canonicalizer::new(), Vec::new());
    let mut candidate = Repeat(|| {
        for payload in &payloads {
            out.clear();
            canonicalizer.canonicalize(payload, &JsonLimits::PAYLOAD, &mut out)?;
            black_box(&out);
        }
        Ok(())
    });
    let pairs = Pairs { counted: if session.quick { 12 } else { 60 }, dropped: 2 };
    let measured = compare(pairs, Processor::Thread, &mut floor, &mut candidate)?;
    let gate = Some(Gate::AtLeast(7.0));
    Ok(vec![Row::compared(
        "canonicaliser, floor: serde_json_canonicalizer",
        &measured,
        PAYLOADS as f64,
        gate,
    )])
}

/// Parses and canonicalises the way that users of the crate do.
fn reference(payload: &[u8]) -> anyhow::Result<Vec<u8>> {
    let value: serde_json::Value = serde_json::from_slice(payload)?;
    Ok(serde_json_canonicalizer::to_vec(&value)?)
}

/// A canonicaliser that is fast and wrong would win.
fn check_agreement(payloads: &[Vec<u8>]) -> anyhow::Result<()> {
    for payload in payloads {
        let mut ours = Vec::new();
        Canonicalizer::new().canonicalize(payload, &JsonLimits::PAYLOAD, &mut ours)?;
        anyhow::ensure!(ours == reference(payload)?, "the canonicalisers disagree");
    }
    Ok(())
}
