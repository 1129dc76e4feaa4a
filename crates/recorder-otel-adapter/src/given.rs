//! How often each id was given in an input, to tell apart what came twice.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use recorder_core::identity::EnvelopeId;

/// The ids that were given. They are looked up, and never walked through.
#[derive(Debug, Default)]
pub(crate) struct Given(HashTable<(EnvelopeId, u64)>);

impl Given {
    /// This many ids come next, or fewer.
    pub(crate) fn reserve(&mut self, ids: usize) {
        self.0.reserve(ids, |(id, _)| hash(id));
    }

    /// Counts an id; gives how often it was given before.
    pub(crate) fn count(&mut self, id: EnvelopeId) -> u64 {
        match self.0.entry(hash(&id), |(given, _)| *given == id, |(given, _)| hash(given)) {
            Entry::Vacant(place) => {
                place.insert((id, 1));
                0
            }
            Entry::Occupied(mut given) => {
                let (_, count) = given.get_mut();
                *count += 1;
                *count - 1
            }
        }
    }
}

/// The end of an id is the end of a SHA-256 digest. Whoever tries until many end alike slows his own input down.
fn hash(id: &EnvelopeId) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = *id.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_is_counted_on_its_own() {
        let id = |last: u8| {
            let mut bytes = [0; 16];
            (bytes[6], bytes[8], bytes[15]) = (0x70, 0x80, last);
            EnvelopeId::from_bytes(bytes).unwrap()
        };
        let mut given = Given::default();
        given.reserve(2);
        let counts = [1, 2, 1, 1, 2, 3].map(|last| given.count(id(last)));
        assert_eq!(counts, [0, 0, 1, 2, 1, 0]);
    }
}
