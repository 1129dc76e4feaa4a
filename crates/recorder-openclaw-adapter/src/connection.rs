//! What is remembered of one connection: how far its numbers went, and what was begun and not ended.
//!
//! The gateway numbers the frames of a connection from 1, each one higher than the last, whether or not it could send them: a
//! hole is a frame that was for us and did not come. A cut tail leaves no hole. What then remains open tells of it,
//! and the ledger, where there is one.

use std::collections::BTreeMap;

use recorder_core::identity::EnvelopeId;
use recorder_core::time::UtcTimestamp;

use crate::frame::What;

/// Frames whose digests are remembered, so that one that comes again is told from one that contradicts.
pub(crate) const REMEMBERED_MAX: usize = 1024;

/// Runs, tool calls and approvals of one connection that may be open at once.
pub(crate) const OPEN_MAX: usize = 4096;

/// Names under which frames that are not kept are counted; others share one.
pub(crate) const COUNTED_NAMES_MAX: usize = 64;

/// Characters of such a name.
const COUNTED_NAME_CHARS_MAX: usize = 64;

/// What a frame's number says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Number {
    /// The one that was expected.
    Expected,
    /// Not 1, though it is the first of the connection.
    LateStart,
    /// Some are missing before it.
    Gap { expected: u64 },
    /// It was there, with the same bytes.
    Repeat,
    /// It was there, with other bytes.
    Equivocation { first: [u8; 32] },
    /// Lower than one before it, and not seen, or too long ago to be remembered.
    Disorder,
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) missing: u64,
    pub(crate) frames: u64,
    /// When the last line of it was received, as the tap says.
    pub(crate) received_at: UtcTimestamp,
    /// The number of that line, to know which connection was quiet longest.
    pub(crate) line: u64,
    digests: BTreeMap<u64, [u8; 32]>,
    pub(crate) open: BTreeMap<(What, String), EnvelopeId>,
    /// Whether more was open than is tracked.
    pub(crate) overflowed: bool,
    pub(crate) skipped: BTreeMap<String, u64>,
}

impl Connection {
    pub(crate) fn new(received_at: UtcTimestamp) -> Self {
        Self {
            first: 0,
            last: 0,
            missing: 0,
            frames: 0,
            received_at,
            line: 0,
            digests: BTreeMap::new(),
            open: BTreeMap::new(),
            overflowed: false,
            skipped: BTreeMap::new(),
        }
    }

    /// Takes the number of the next frame and says what it means.
    pub(crate) fn number(&mut self, seq: u64, digest: [u8; 32]) -> Number {
        let expected = self.last + 1;
        let number = if self.last == 0 {
            self.first = seq;
            if seq == 1 { Number::Expected } else { Number::LateStart }
        } else if seq >= expected {
            if seq == expected { Number::Expected } else { Number::Gap { expected } }
        } else {
            match self.digests.get(&seq) {
                Some(first) if *first == digest => return Number::Repeat,
                Some(first) => return Number::Equivocation { first: *first },
                None => Number::Disorder,
            }
        };
        if let Number::Gap { expected } = number {
            self.missing += seq - expected;
        }
        self.last = self.last.max(seq);
        self.frames += 1;
        self.digests.insert(seq, digest);
        if self.digests.len() > REMEMBERED_MAX {
            self.digests.pop_first();
        }
        number
    }

    /// Counts a frame that is not kept.
    pub(crate) fn skip(&mut self, name: &str) {
        let name: String = name.chars().take(COUNTED_NAME_CHARS_MAX).collect();
        let is_known = self.skipped.contains_key(&name);
        let has_room = self.skipped.len() < COUNTED_NAMES_MAX;
        let name = if is_known || has_room { name } else { "other".to_owned() };
        *self.skipped.entry(name).or_default() += 1;
    }

    /// Remembers that something was begun; whether there was room for it.
    pub(crate) fn begin(&mut self, what: What, subject: String, id: EnvelopeId) -> bool {
        if self.open.len() >= OPEN_MAX {
            return false;
        }
        self.open.insert((what, subject), id);
        true
    }

    /// Forgets what was ended; the envelope that began it.
    pub(crate) fn end(&mut self, what: What, subject: String) -> Option<EnvelopeId> {
        self.open.remove(&(what, subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(seqs: &[(u64, u8)]) -> Vec<Number> {
        let mut connection = Connection::new(UtcTimestamp::EPOCH);
        seqs.iter().map(|(seq, byte)| connection.number(*seq, [*byte; 32])).collect()
    }

    #[test]
    fn each_break_of_the_count_has_its_own_name() {
        use Number::{Disorder, Equivocation, Expected, Gap, LateStart, Repeat};
        assert_eq!(numbers(&[(1, 1), (2, 2)]), [Expected, Expected]);
        assert_eq!(numbers(&[(2, 2), (3, 3)]), [LateStart, Expected]);
        assert_eq!(
            numbers(&[(1, 1), (3, 3), (2, 2), (4, 4)]),
            [Expected, Gap { expected: 2 }, Disorder, Expected]
        );
        let again = numbers(&[(1, 1), (2, 2), (1, 1), (2, 9), (3, 3)]);
        let other = Equivocation { first: [2; 32] };
        assert_eq!(again, [Expected, Expected, Repeat, other, Expected]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut connection = Connection::new(UtcTimestamp::EPOCH);
        for seq in 1..=3 * REMEMBERED_MAX as u64 {
            connection.number(seq, [0; 32]);
            connection.skip(&format!("name {seq}"));
        }
        assert_eq!(connection.digests.len(), REMEMBERED_MAX);
        assert_eq!(connection.number(1, [0; 32]), Number::Disorder);
        assert_eq!(connection.skipped.len(), COUNTED_NAMES_MAX + 1);
        assert_eq!(connection.skipped.values().sum::<u64>(), 3 * REMEMBERED_MAX as u64);
        let id =
            EnvelopeId::from_bytes([0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        let taken = (0..OPEN_MAX + 10)
            .filter(|number| connection.begin(What::Run, number.to_string(), id))
            .count();
        assert_eq!(taken, OPEN_MAX);
    }
}
