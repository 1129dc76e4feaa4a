//! Where streams stand: the newest checkpoint and the newest seal of each, named once each time that it is another.
//!
//! What is named is read from the store and not from whoever signed. A stream that moves often is named once a window,
//! with the newest; where more have moved than a payload holds, they take turns.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use recorder_core::identity::{StreamId, TenantId};
use recorder_sidecar_api::audit::ENTRIES_MAX;
use recorder_store::{SegmentRecord, Store, StoredCheckpoint, StreamHead};
use serde_json::{Value, json};

use crate::ingest::Observed;

/// What was named of a stream, and what is to be.
#[derive(Default)]
pub(super) struct Heads {
    /// Streams that may stand elsewhere than when they were looked at.
    moved: BTreeSet<TenantId>,
    seen: BTreeMap<TenantId, Seen>,
    pub(super) checkpoints: Turns,
    pub(super) seals: Turns,
}

/// The size of the newest checkpoint, and the index after the newest seal.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
struct Seen {
    tree_size: u64,
    sealed_count: u64,
}

impl Heads {
    /// Streams that are to be looked at.
    pub(super) fn add(&mut self, tenants: impl IntoIterator<Item = TenantId>) {
        self.moved.extend(tenants);
    }

    /// Looks at every stream that moved, but for that of `own`.
    pub(super) fn look(
        &mut self,
        store: &dyn Store,
        observed: &Observed,
        stream_of: impl Fn(&TenantId) -> StreamId,
        own: &TenantId,
    ) {
        self.moved.extend(observed.take_moved());
        self.moved.remove(own);
        for tenant_id in std::mem::take(&mut self.moved) {
            // One that cannot be read now is looked at again.
            let is_settled = store
                .head(&stream_of(&tenant_id))
                .is_ok_and(|head| head.is_none_or(|head| self.compare(&tenant_id, &head)));
            if !is_settled {
                self.moved.insert(tenant_id);
            }
        }
    }

    /// Notes what is new; says whether everything is covered, so that nothing is to be expected.
    fn compare(&mut self, tenant_id: &TenantId, head: &StreamHead) -> bool {
        let seen = self.seen.entry(tenant_id.clone()).or_default();
        if let Some(newest) = head.checkpoint.as_ref().filter(|it| it.tree_size > seen.tree_size) {
            seen.tree_size = newest.tree_size;
            self.checkpoints.waiting.insert(tenant_id.clone(), checkpoint(tenant_id, newest));
        }
        if let Some((index, entry)) = head.last_sealed.as_ref().and_then(|it| seal(tenant_id, it))
            && index >= seen.sealed_count
        {
            seen.sealed_count = index + 1;
            self.seals.waiting.insert(tenant_id.clone(), entry);
        }
        seen.tree_size >= head.next_position
    }
}

fn checkpoint(tenant_id: &TenantId, newest: &StoredCheckpoint) -> Value {
    json!({
        "root_hash": newest.root_hash.to_string(),
        "tenant_id": tenant_id.as_str(),
        "tree_size": newest.tree_size,
    })
}

fn seal(tenant_id: &TenantId, record: &SegmentRecord) -> Option<(u64, Value)> {
    let seal = &record.seal.as_ref()?.seal;
    let index = record.genesis.segment_index;
    let entry = json!({
        "envelope_count": seal.envelope_count,
        "reason": seal.reason,
        "seal_hash": seal.hash().to_string(),
        "segment_id": seal.segment_id.to_string(),
        "segment_index": index,
        "tenant_id": tenant_id.as_str(),
    });
    Some((index, entry))
}

/// Entries that wait for their turn.
#[derive(Default)]
pub(super) struct Turns {
    waiting: BTreeMap<TenantId, Value>,
    /// Whose turn was last.
    last: Option<TenantId>,
}

impl Turns {
    /// A payload with the next entries; nothing where none waits.
    pub(super) fn draft(&self) -> Option<Value> {
        let next = self.next();
        let entries: Vec<&Value> =
            next.iter().filter_map(|tenant| self.waiting.get(*tenant)).collect();
        let waiting = self.waiting.len() - entries.len();
        let payload = json!({ "streams": entries, "streams_waiting": waiting });
        (!self.waiting.is_empty()).then_some(payload)
    }

    /// Whether more wait than a draft holds.
    pub(super) fn is_more(&self) -> bool {
        self.waiting.len() > ENTRIES_MAX
    }

    /// Forgets what the last draft holds, which is recorded.
    pub(super) fn recorded(&mut self) {
        let next: Vec<TenantId> = self.next().into_iter().cloned().collect();
        for tenant_id in &next {
            self.waiting.remove(tenant_id);
        }
        self.last = next.into_iter().next_back();
    }

    /// Those after the last one, then those before it.
    fn next(&self) -> Vec<&TenantId> {
        let split = self.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.waiting.range::<TenantId, _>((split, Bound::Unbounded));
        let earlier = self.waiting.iter().take_while(|(it, _)| Some(*it) <= self.last.as_ref());
        later.chain(earlier).map(|(tenant_id, _)| tenant_id).take(ENTRIES_MAX).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_take_turns_though_some_move_all_the_time() {
        let tenant = |number: usize| TenantId::new(format!("t{number:04}")).unwrap();
        let mut turns = Turns::default();
        let mut named = BTreeMap::<String, u64>::new();
        for _ in 0..8 {
            for number in 0..4 * ENTRIES_MAX {
                turns.waiting.insert(tenant(number), json!(tenant(number).as_str()));
            }
            let payload = turns.draft().unwrap();
            assert_eq!(payload["streams_waiting"], 3 * ENTRIES_MAX);
            for entry in payload["streams"].as_array().unwrap() {
                *named.entry(entry.as_str().unwrap().to_owned()).or_default() += 1;
            }
            turns.recorded();
        }
        assert_eq!(named.len(), 4 * ENTRIES_MAX);
        assert!(named.values().all(|count| *count == 2), "{named:?}");
        let mut left = 0;
        while turns.draft().is_some() {
            turns.recorded();
            left += 1;
        }
        assert_eq!(left, 3);
    }
}
