//! Where fresh ids and salts come from.

use std::sync::atomic::{AtomicU64, Ordering};

use recorder_core::hash::sha256;
use recorder_core::identity::{EnvelopeId, SegmentId};
use recorder_core::time::RecordedAt;
use recorder_envelope::envelope::PayloadSalt;

/// Why no randomness could be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the system gives no randomness")]
pub struct NoRandomness;

/// Makes ids and salts.
pub trait IdSource: Send + Sync {
    /// Fills `out` with bytes that nobody can guess (or, in tests, that everybody can repeat).
    ///
    /// # Errors
    ///
    /// `NoRandomness` when the system gives none.
    fn fill(&self, out: &mut [u8]) -> Result<(), NoRandomness>;

    /// A fresh envelope id for an event at `now`.
    ///
    /// # Errors
    ///
    /// `NoRandomness` when the system gives none.
    fn envelope_id(&self, now: RecordedAt) -> Result<EnvelopeId, NoRandomness> {
        let bytes = uuid_v7(self, now)?;
        #[expect(clippy::expect_used, reason = "uuid_v7 sets version and variant")]
        Ok(EnvelopeId::from_bytes(bytes).expect("a UUIDv7"))
    }

    /// A fresh segment id for a segment that opens at `now`.
    ///
    /// # Errors
    ///
    /// `NoRandomness` when the system gives none.
    fn segment_id(&self, now: RecordedAt) -> Result<SegmentId, NoRandomness> {
        let bytes = uuid_v7(self, now)?;
        #[expect(clippy::expect_used, reason = "uuid_v7 sets version and variant")]
        Ok(SegmentId::from_bytes(bytes).expect("a UUIDv7"))
    }

    /// A fresh salt.
    ///
    /// # Errors
    ///
    /// `NoRandomness` when the system gives none.
    fn payload_salt(&self) -> Result<PayloadSalt, NoRandomness> {
        let mut bytes = [0; 16];
        self.fill(&mut bytes)?;
        Ok(PayloadSalt::from_bytes(bytes))
    }
}

/// RFC 9562 §5.7: 48 bits of milliseconds, version, variant, and randomness in between.
fn uuid_v7<S: IdSource + ?Sized>(source: &S, now: RecordedAt) -> Result<[u8; 16], NoRandomness> {
    let mut random = [0; 10];
    source.fill(&mut random)?;
    let milliseconds = now.nanoseconds().unsigned_abs() / 1_000_000;
    Ok(uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid().into_bytes())
}

/// The system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl IdSource for SystemIds {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(out).map_err(|_| NoRandomness)
    }
}

/// Bytes that follow from a seed: for tests, demonstrations and reproducible output only.
#[derive(Debug)]
pub struct SeededIds {
    seed: u64,
    count: AtomicU64,
}

impl SeededIds {
    /// Starts the sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, count: AtomicU64::new(0) }
    }
}

impl IdSource for SeededIds {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoRandomness> {
        for chunk in out.chunks_mut(32) {
            let count = self.count.fetch_add(1, Ordering::SeqCst);
            let bytes = sha256(&[
                b"recorder/seeded-ids/v1",
                &self.seed.to_be_bytes(),
                &count.to_be_bytes(),
            ]);
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_their_time_and_differ() {
        let now = RecordedAt::from_nanoseconds(1_700_000_000_123_456_789).unwrap();
        for source in [&SystemIds as &dyn IdSource, &SeededIds::new(1)] {
            let (first, second) =
                (source.envelope_id(now).unwrap(), source.envelope_id(now).unwrap());
            assert_ne!(first, second);
            assert_eq!(&first.to_string()[..13], "018bcfe5-687b");
        }
    }

    #[test]
    fn a_seed_repeats_its_bytes() {
        let bytes = |seed| {
            let mut out = [0; 40];
            SeededIds::new(seed).fill(&mut out).unwrap();
            out
        };
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7), bytes(8));
    }
}
