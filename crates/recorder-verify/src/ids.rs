//! Whether an envelope id occurs twice, and whether each named parent is there, in constant memory.
//!
//! The last 65,536 ids are held. An id above all that were let go is new for certain; one below is a *question*,
//! as is a parent that was not seen. Up to 131,072 questions are answered by reading all ids once more; what is
//! left over is asked in the next such round, which repeats the same decisions. Streams whose ids rise with
//! time, as UUIDv7 do, ask nothing about repetition.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Ids that are held.
const WINDOW_IDS: usize = 65_536;

/// Parents that may wait for their envelope before they become questions.
const PENDING_IDS_MAX: usize = 65_536;

/// Questions that one round answers.
pub(crate) const QUESTIONS_MAX: usize = 131_072;

/// The 16 bytes of an envelope id, whose order is that of time.
pub(crate) type Id = u128;

/// One envelope, as far as ids go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) id: Id,
    /// Where it stands: part and line.
    pub(crate) at: (u32, u32),
}

/// What was found out about ids.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum IdFault {
    /// The envelope there has an id that an earlier one has.
    Repeated,
    /// The envelope there names a parent that is not in the bundle.
    ParentAbsent(Id),
}

/// A fault and where it is: part and line.
pub(crate) type IdFaultAt = ((u32, u32), IdFault);

/// A question and what is known about it.
#[derive(Clone, Copy, Debug, Default)]
struct Question {
    /// Whether it was asked if the id occurs twice.
    repeated: bool,
    /// Where it was asked if the id occurs at all.
    parent_at: Option<(u32, u32)>,
}

/// One pass over all ids.
#[derive(Debug, Default)]
pub(crate) struct IdPass {
    window: BTreeSet<Id>,
    order: VecDeque<Id>,
    floor: Option<Id>,
    pending: BTreeMap<Id, (u32, u32)>,
    /// Questions asked so far, repeated ones included: the same in every pass.
    asked: u64,
    /// The first question that this pass writes down.
    from: u64,
    questions: BTreeMap<Id, Question>,
    /// The question at which there was no more room.
    overflow: Option<u64>,
    answering: BTreeMap<Id, (Question, u64)>,
    /// Whether faults that need no question are to be told: only the first pass does.
    first: bool,
    faults: Vec<IdFaultAt>,
}

impl IdPass {
    /// The first pass.
    pub(crate) fn first() -> Self {
        Self { first: true, ..Self::default() }
    }

    /// Sees the next envelope and its parents, those apart that are known to be left out.
    pub(crate) fn arrive(&mut self, arrival: Arrival, parents: impl Iterator<Item = Id>) {
        let Arrival { id, at } = arrival;
        let in_window = self.window.contains(&id);
        if in_window {
            self.tell(at, IdFault::Repeated);
        } else if self.floor.is_some_and(|floor| id <= floor) {
            self.ask(id, |question| question.repeated = true);
        }
        self.answer(id, at, in_window);
        self.pending.remove(&id);
        if !in_window {
            self.hold(id);
        }
        for parent in parents {
            self.look_for(parent, at);
        }
    }

    /// Ends the pass; the next one, if there are questions left.
    pub(crate) fn finish(mut self) -> (Vec<IdFaultAt>, Option<Self>) {
        // What still waits was above the floor when it was named, so no earlier envelope has that id; nor has a later one.
        for (parent, at) in std::mem::take(&mut self.pending) {
            self.tell(at, IdFault::ParentAbsent(parent));
        }
        for (id, (question, count)) in &self.answering {
            if let (Some(at), 0) = (question.parent_at, count) {
                self.faults.push((at, IdFault::ParentAbsent(*id)));
            }
        }
        let next = (!self.questions.is_empty()).then(|| Self {
            from: self.overflow.unwrap_or(u64::MAX),
            answering: self.questions.into_iter().map(|(id, asked)| (id, (asked, 0))).collect(),
            ..Self::default()
        });
        (self.faults, next)
    }

    fn tell(&mut self, at: (u32, u32), fault: IdFault) {
        if self.first {
            self.faults.push((at, fault));
        }
    }

    fn answer(&mut self, id: Id, at: (u32, u32), in_window: bool) {
        let Some((question, count)) = self.answering.get_mut(&id) else { return };
        *count += 1;
        // What was in the window was told by the first pass.
        if question.repeated && *count > 1 && !in_window {
            self.faults.push((at, IdFault::Repeated));
        }
    }

    fn hold(&mut self, id: Id) {
        let full = self.order.len() == WINDOW_IDS;
        if let Some(oldest) = if full { self.order.pop_front() } else { None } {
            self.window.remove(&oldest);
            self.floor = self.floor.max(Some(oldest));
        }
        self.window.insert(id);
        self.order.push_back(id);
    }

    fn look_for(&mut self, parent: Id, at: (u32, u32)) {
        if self.window.contains(&parent) || self.pending.contains_key(&parent) {
            return;
        }
        let below = self.floor.is_some_and(|floor| parent <= floor);
        if below || self.pending.len() == PENDING_IDS_MAX {
            self.ask(parent, |question| {
                question.parent_at.get_or_insert(at);
            });
        } else {
            self.pending.insert(parent, at);
        }
    }

    fn ask(&mut self, id: Id, note: impl FnOnce(&mut Question)) {
        let number = self.asked;
        self.asked += 1;
        if number < self.from || self.overflow.is_some() {
            return;
        }
        if self.questions.len() == QUESTIONS_MAX && !self.questions.contains_key(&id) {
            self.overflow = Some(number);
            return;
        }
        note(self.questions.entry(id).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs all passes over envelopes given as an id and the ids of its parents.
    fn check(envelopes: &[(Id, Vec<Id>)]) -> (Vec<(u32, IdFault)>, u64) {
        let (mut faults, mut rounds) = (Vec::new(), 0);
        let mut pass = Some(IdPass::first());
        while let Some(mut current) = pass {
            for (line, (id, parents)) in envelopes.iter().enumerate() {
                let arrival = Arrival { id: *id, at: (0, line as u32) };
                current.arrive(arrival, parents.iter().copied());
            }
            let (found, next) = current.finish();
            faults.extend(found.into_iter().map(|((_, line), fault)| (line, fault)));
            (pass, rounds) = (next, rounds + 1);
        }
        faults.sort_unstable();
        (faults, rounds)
    }

    fn rising(count: u32) -> Vec<(Id, Vec<Id>)> {
        (0..count).map(|n| (Id::from(n) * 2 + 10, Vec::new())).collect()
    }

    #[test]
    fn ids_that_rise_are_settled_in_one_pass() {
        assert_eq!(check(&rising(200_000)), (vec![], 1));
    }

    #[test]
    fn a_repetition_is_found_near_and_far() {
        for distance in [1, 65_535, 65_536, 150_000] {
            let mut envelopes = rising(200_000);
            envelopes[199_999].0 = envelopes[199_999 - distance].0;
            let (faults, _) = check(&envelopes);
            assert_eq!(faults, [(199_999, IdFault::Repeated)], "{distance}");
        }
    }

    #[test]
    fn an_id_out_of_order_is_no_repetition() {
        let mut envelopes = rising(200_000);
        envelopes[180_000].0 = 1;
        assert_eq!(check(&envelopes), (vec![], 2));
    }

    #[test]
    fn ids_that_fall_take_as_many_rounds_as_they_ask() {
        let mut envelopes = rising(400_000);
        envelopes.reverse();
        let (faults, rounds) = check(&envelopes);
        assert_eq!((faults, rounds), (vec![], 4));
        envelopes[399_999].0 = envelopes[0].0;
        envelopes[200_000].0 = envelopes[5].0;
        let (faults, _) = check(&envelopes);
        assert_eq!(faults, [(200_000, IdFault::Repeated), (399_999, IdFault::Repeated)]);
    }

    #[test]
    fn three_of_a_kind_are_two_repetitions() {
        let mut envelopes = rising(200_000);
        envelopes[150_000].0 = envelopes[3].0;
        envelopes[150_001].0 = envelopes[3].0;
        envelopes[199_999].0 = envelopes[3].0;
        let (faults, _) = check(&envelopes);
        let lines: Vec<_> = faults.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [150_000, 150_001, 199_999]);
    }

    #[test]
    fn parents_are_found_before_after_and_far_away() {
        let mut envelopes = rising(200_000);
        envelopes[10].1 = vec![envelopes[9].0, envelopes[199_999].0];
        envelopes[199_998].1 = vec![envelopes[0].0, envelopes[100_000].0];
        assert_eq!(check(&envelopes).0, []);
        envelopes[11].1 = vec![11];
        envelopes[199_997].1 = vec![13, u128::MAX];
        assert_eq!(
            check(&envelopes).0,
            [
                (11, IdFault::ParentAbsent(11)),
                (199_997, IdFault::ParentAbsent(13)),
                (199_997, IdFault::ParentAbsent(u128::MAX)),
            ]
        );
    }
}
