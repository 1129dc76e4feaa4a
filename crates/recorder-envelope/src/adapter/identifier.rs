//! Envelope ids that a mapping derives instead of drawing: the same record has the same id wherever it is mapped.
//!
//! Seventy-four bits of an id come from a digest. That keeps different records apart, but whoever writes the records
//! can, with some 2^37 tries, make two of one millisecond share an id; the recorder then refuses the second by name.

use recorder_core::identity::{AdapterId, EnvelopeId, StreamId};
use recorder_core::time::UtcTimestamp;
use sha2::{Digest as _, Sha256};

use crate::json::ObjectWriter;

/// What the preimage of an id begins with.
const PREFIX: &[u8] = b"recorder/id/v1\n";

/// Derives the ids of one mapping into one stream.
#[derive(Clone, Debug)]
pub struct EnvelopeIds {
    /// The digest under way, up to the key.
    before_key: Sha256,
    /// That of the id at hand, kept to be filled anew.
    digest: Sha256,
    /// The preimage after the key.
    after_key: Vec<u8>,
    scratch: Vec<u8>,
}

impl EnvelopeIds {
    /// Takes what all ids of the mapping share.
    pub fn new(adapter_id: &AdapterId, mapping_version: &str, stream: &StreamId) -> Self {
        let mut text = PREFIX.to_vec();
        let mut object = ObjectWriter::new(&mut text);
        object.string("adapter_id", adapter_id.as_str()).raw("key", b"");
        object.finish();
        // The brace that `finish` wrote gives way to the key and what follows it.
        text.pop();
        let mut rest = Vec::new();
        let mut object = ObjectWriter::new(&mut rest);
        object
            .string("mapping_version", mapping_version)
            .string("recorder_id", stream.recorder_id.as_str())
            .string("tenant_id", stream.tenant_id.as_str());
        object.finish();
        if let Some(brace) = rest.first_mut() {
            *brace = b',';
        }
        Self {
            before_key: Sha256::new_with_prefix(&text),
            digest: Sha256::new(),
            after_key: rest,
            scratch: Vec::new(),
        }
    }

    /// Derives the id of what happened at `claimed_time` under the members that `write_key` writes.
    ///
    /// The id is `time ‖ 0111 ‖ 12 bits ‖ 10 ‖ 62 bits`: the time as 48 bits of milliseconds since 1970, rounded down, the other
    /// 74 bits from the SHA-256 of the preimage. Every [`UtcTimestamp`] has its milliseconds: none lies before 1970, and
    /// the last, in the year 9999, takes 48 bits. A source's time that is no `UtcTimestamp` has no id: its record is rejected.
    pub fn derive(
        &mut self,
        claimed_time: UtcTimestamp,
        write_key: impl FnOnce(&mut ObjectWriter<'_>),
    ) -> EnvelopeId {
        self.scratch.clear();
        let mut key = ObjectWriter::new(&mut self.scratch);
        write_key(&mut key);
        key.finish();
        self.scratch.extend_from_slice(&self.after_key);
        self.digest.clone_from(&self.before_key);
        self.digest.update(&self.scratch);
        uuid_v7(milliseconds(claimed_time), &self.digest.finalize_reset().into())
    }
}

/// Milliseconds since 1970, rounded down.
fn milliseconds(time: UtcTimestamp) -> u64 {
    time.seconds().unsigned_abs() * 1000 + u64::from(time.nanoseconds() / 1_000_000)
}

#[expect(clippy::expect_used, reason = "version and variant are written just before")]
fn uuid_v7(milliseconds: u64, digest: &[u8; 32]) -> EnvelopeId {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&digest[..10]);
    bytes[6] = 0x70 | (bytes[6] & 0x0F);
    bytes[8] = 0x80 | (bytes[8] & 0x3F);
    EnvelopeId::from_bytes(bytes).expect("a UUID of version 7")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_its_milliseconds_in_forty_eight_bits() {
        let last: UtcTimestamp = "9999-12-31T23:59:59.999999999Z".parse().unwrap();
        assert_eq!(milliseconds(last), 253_402_300_799_999);
        assert!(milliseconds(last) < 1 << 48);
        let first: UtcTimestamp = "1970-01-01T00:00:00.000999999Z".parse().unwrap();
        assert_eq!(milliseconds(first), 0);
    }
}
