//! The floor of verification: read the archive, hash what the format hashes, parse each line into a typed struct.
//!
//! Nothing is compared and nothing is judged: no canonical form, no identifiers, no chain, no checksums. The bytes
//! that are hashed are not always the very bytes of the preimage, but always as many, in as many pieces.
#![expect(clippy::disallowed_methods, reason = "opens the archives that this program made")]

use std::borrow::Cow;
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 256 << 10;

/// Bytes of a preimage of a chain link, of a leaf and of a node.
const CHAIN_BYTES: usize = 81;
const LEAF_BYTES: usize = 33;
const NODE_BYTES: usize = 65;

/// Bytes before the payload in the preimage of its commitment: the first byte and the salt.
const COMMITMENT_PREFIX_BYTES: usize = 17;

/// Bytes of a line that the hashable view leaves out, payload and numbers apart.
const OUTSIDE_VIEW: &[&str] = &[
    ",\"chain_hash\":\"0000000000000000000000000000000000000000000000000000000000000000\"",
    ",\"content_hash\":\"0000000000000000000000000000000000000000000000000000000000000000\"",
    ",\"payload\":",
    ",\"payload_salt\":\"00000000000000000000000000000000\"",
    ",\"position\":,\"recorded_at\":\"2026-11-01T00:00:00.000000000Z\"",
    ",\"segment_id\":\"00000000-0000-7000-8000-000000000000\",\"sequence\":,\"signature\":null",
];

/// One line, its payload unread.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the members are parsed, which is the point, and not looked at")]
struct Line<'a> {
    #[serde(borrow)]
    actor_id: Cow<'a, str>,
    attachment_refs: Vec<IgnoredAny>,
    chain_hash: &'a str,
    claimed_time: &'a str,
    content_hash: &'a str,
    envelope_id: &'a str,
    #[serde(borrow)]
    environment_id: Cow<'a, str>,
    event_type: &'a str,
    parent_ids: Vec<&'a str>,
    #[serde(borrow)]
    payload: &'a RawValue,
    payload_commitment: &'a str,
    payload_salt: &'a str,
    position: u64,
    recorded_at: &'a str,
    schema_version: u64,
    segment_id: &'a str,
    sequence: u64,
    #[serde(borrow)]
    session_id: Option<Cow<'a, str>>,
    signature: Option<IgnoredAny>,
    #[serde(borrow)]
    trace_id: Option<Cow<'a, str>>,
}

/// Goes through the whole archive once and returns how many lines it holds.
pub(crate) fn pass(path: &Path) -> anyhow::Result<u64> {
    let mut archive = File::open(path)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut lines = 0;
    while let Some((name, size_bytes)) = next_member(&mut archive)? {
        let mut data = (&mut archive).take(size_bytes);
        if name.starts_with("segments/") && name.ends_with(".jsonl") {
            lines += read_lines(&mut data, &mut buffer)?;
        } else {
            let mut part = Vec::new();
            data.read_to_end(&mut part)?;
            black_box(Sha256::digest(&part));
        }
    }
    Ok(lines)
}

/// The name and the size of the next member, which is stored as it is; `None` where the directory begins.
fn next_member(archive: &mut File) -> anyhow::Result<Option<(String, u64)>> {
    let mut header = [0; 30];
    archive.read_exact(&mut header)?;
    if !header.starts_with(b"PK\x03\x04") {
        return Ok(None);
    }
    let size_bytes = u32::from_le_bytes([header[18], header[19], header[20], header[21]]);
    let name_bytes = u16::from_le_bytes([header[26], header[27]]);
    let extra_bytes = u16::from_le_bytes([header[28], header[29]]);
    let mut name = vec![0; usize::from(name_bytes) + usize::from(extra_bytes)];
    archive.read_exact(&mut name)?;
    name.truncate(name_bytes.into());
    Ok(Some((String::from_utf8(name)?, size_bytes.into())))
}

fn read_lines(data: &mut impl Read, buffer: &mut Vec<u8>) -> anyhow::Result<u64> {
    let (mut part, mut filled, mut lines) = (Sha256::new(), 0, 0);
    loop {
        if filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
        let read = data.read(buffer.get_mut(filled..).unwrap_or_default())?;
        if read == 0 {
            break;
        }
        part.update(buffer.get(filled..filled + read).unwrap_or_default());
        filled += read;
        let mut start = 0;
        let bytes = buffer.get(..filled).unwrap_or_default();
        for end in memchr::memchr_iter(b'\n', bytes) {
            read_line(bytes.get(start..end).unwrap_or_default())?;
            start = end + 1;
            lines += 1;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
    black_box(part.finalize());
    anyhow::ensure!(filled == 0, "the last line has no end");
    Ok(lines)
}

fn read_line(bytes: &[u8]) -> anyhow::Result<()> {
    let line: Line<'_> = serde_json::from_slice(bytes)?;
    let payload = line.payload.get().as_bytes();
    let mut commitment = Sha256::new();
    commitment.update(bytes.get(..COMMITMENT_PREFIX_BYTES).unwrap_or_default());
    commitment.update(payload);
    black_box(commitment.finalize());
    let outside = outside_view_bytes() + digits(line.position) + digits(line.sequence);
    let view_bytes = bytes.len().saturating_sub(outside + payload.len());
    for length in [view_bytes, CHAIN_BYTES, LEAF_BYTES, NODE_BYTES] {
        black_box(Sha256::digest(bytes.get(..length).unwrap_or_default()));
    }
    black_box(&line);
    Ok(())
}

const fn outside_view_bytes() -> usize {
    let (mut sum, mut index) = (0, 0);
    while index < OUTSIDE_VIEW.len() {
        sum += OUTSIDE_VIEW[index].len();
        index += 1;
    }
    sum
}

fn digits(value: u64) -> usize {
    value.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use recorder_core::hash::ChainHash;
    use recorder_core::time::RecordedAt;
    use recorder_envelope::envelope::Place;

    use super::*;

    #[test]
    fn as_many_bytes_are_hashed_as_the_view_has() {
        let body = crate::corpus::request(crate::corpus::SEED, 3).body;
        let prepared = crate::service::prepare(&body, &recorder::ids::SeededIds::new(1)).unwrap();
        let ids = recorder::ids::SeededIds::new(2);
        let recorded_at = RecordedAt::from_nanoseconds(7).unwrap();
        let segment_id = recorder::ids::IdSource::segment_id(&ids, recorded_at).unwrap();
        let place = Place { segment_id, sequence: 7, position: 100_007, recorded_at };
        let sealed = prepared.seal(place, &ChainHash::from_bytes([0; 32]));
        let (mut line, mut view) = (Vec::new(), Vec::new());
        sealed.write_canonical(&mut line);
        sealed.fields.write_hashable_view(&sealed.payload_commitment, &mut view);
        let payload = sealed.payload.unwrap().payload.as_bytes().len();
        let outside = outside_view_bytes() + digits(7) + digits(100_007);
        assert_eq!(line.len() - outside - payload, view.len());
        read_line(&line).unwrap();
    }
}
