//! Whether an envelope id occurs twice, and whether each named parent is there, in constant memory.
//!
//! The last 65,536 ids are held. An id above all that were let go is new for certain; one below is a *question*,
//! as is a parent that was not seen. Up to 131,072 questions are answered by reading all ids once more; what is
//! left over is asked in the next such round, which repeats the same decisions. Streams whose ids rise with
//! time, as UUIDv7 do, ask nothing about repetition.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

/// How much is held at once.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// The last ids.
    window: usize,
    /// Parents that wait for their envelope before they become questions.
    pending: usize,
    /// Questions that one round answers.
    questions: usize,
}

const BOUNDS: Bounds = Bounds { window: 65_536, pending: 65_536, questions: 131_072 };

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

/// Where a parent was named that was not seen; `None` where only repetition is in question.
type Question = Option<(u32, u32)>;

/// One pass over all ids.
#[derive(Debug)]
pub(crate) struct IdPass {
    bounds: Bounds,
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
    /// The questions that this pass answers, by number, and by id with how often the id was met.
    answered: Range<u64>,
    answering: BTreeMap<Id, (Question, u64)>,
    /// Whether faults that need no question are to be told: only the first pass does.
    first: bool,
    faults: Vec<IdFaultAt>,
}

impl IdPass {
    /// The first pass.
    pub(crate) fn first() -> Self {
        Self { first: true, ..Self::within(BOUNDS) }
    }

    fn within(bounds: Bounds) -> Self {
        Self {
            bounds,
            window: BTreeSet::new(),
            order: VecDeque::new(),
            floor: None,
            pending: BTreeMap::new(),
            asked: 0,
            from: 0,
            questions: BTreeMap::new(),
            overflow: None,
            answered: 0..0,
            answering: BTreeMap::new(),
            first: false,
            faults: Vec::new(),
        }
    }

    /// Sees the next envelope and its parents, those apart that are known to be left out.
    pub(crate) fn arrive(&mut self, arrival: Arrival, parents: impl Iterator<Item = Id>) {
        let Arrival { id, at } = arrival;
        let in_window = self.window.contains(&id);
        let met_before = self.count(id) > 0;
        if in_window {
            self.tell(at, IdFault::Repeated);
        } else if self.floor.is_some_and(|floor| id <= floor) {
            // Each question is answered in one round only, so that each repetition is told once.
            if met_before && self.answered.contains(&self.asked) {
                self.faults.push((at, IdFault::Repeated));
            }
            self.ask(id, None);
        }
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
            if let (Some(at), 0) = (question, count) {
                self.faults.push((*at, IdFault::ParentAbsent(*id)));
            }
        }
        let next = (!self.questions.is_empty()).then(|| Self {
            from: self.overflow.unwrap_or(u64::MAX),
            answered: self.from..self.overflow.unwrap_or(u64::MAX),
            answering: self.questions.into_iter().map(|(id, asked)| (id, (asked, 0))).collect(),
            ..Self::within(self.bounds)
        });
        (self.faults, next)
    }

    fn tell(&mut self, at: (u32, u32), fault: IdFault) {
        if self.first {
            self.faults.push((at, fault));
        }
    }

    /// Counts an id that is asked about; how often it was met before.
    fn count(&mut self, id: Id) -> u64 {
        let Some((_, count)) = self.answering.get_mut(&id) else { return 0 };
        *count += 1;
        *count - 1
    }

    fn hold(&mut self, id: Id) {
        let full = self.order.len() == self.bounds.window;
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
        if below || self.pending.len() == self.bounds.pending {
            self.ask(parent, Some(at));
        } else {
            self.pending.insert(parent, at);
        }
    }

    /// Asks whether the id is met at all, where it is a parent's, and else only how often.
    fn ask(&mut self, id: Id, parent_at: Option<(u32, u32)>) {
        let number = self.asked;
        self.asked += 1;
        if number < self.from || self.overflow.is_some() {
            return;
        }
        if self.questions.len() == self.bounds.questions && !self.questions.contains_key(&id) {
            self.overflow = Some(number);
            return;
        }
        let first = self.questions.entry(id).or_default();
        *first = first.or(parent_at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A thousandth of the real bounds.
    const SMALL: Bounds = Bounds { window: 65, pending: 65, questions: 131 };

    /// Runs all passes over envelopes given as an id and the ids of its parents.
    fn check(envelopes: &[(Id, Vec<Id>)]) -> (Vec<(u32, IdFault)>, u64) {
        let (mut faults, mut rounds) = (Vec::new(), 0);
        let mut pass = Some(IdPass { first: true, ..IdPass::within(SMALL) });
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

    proptest! {
        #[test]
        fn the_faults_are_those_of_a_verifier_that_holds_everything(
            envelopes in vec((0_u128..400, vec(0_u128..500, 0..3)), 0..500),
        ) {
            let mut expected = Vec::new();
            let (mut seen, mut absent) = (BTreeSet::new(), BTreeSet::new());
            let all: BTreeSet<_> = envelopes.iter().map(|(id, _)| *id).collect();
            for (line, (id, parents)) in envelopes.iter().enumerate() {
                if !seen.insert(*id) {
                    expected.push((line as u32, IdFault::Repeated));
                }
                absent.extend(parents.iter().filter(|parent| !all.contains(parent)));
            }
            expected.sort_unstable();
            let (faults, _) = check(&envelopes);
            let of = |wanted: bool| {
                let is = move |fault: &IdFault| (*fault == IdFault::Repeated) == wanted;
                faults.iter().copied().filter(move |(_, fault)| is(fault)).collect::<Vec<_>>()
            };
            prop_assert_eq!(of(true), expected);
            let told = of(false).into_iter().map(|(_, fault)| match fault {
                IdFault::ParentAbsent(parent) => parent,
                IdFault::Repeated => unreachable!(),
            });
            prop_assert_eq!(told.collect::<BTreeSet<_>>(), absent);
        }
    }

    #[test]
    fn ids_that_rise_are_settled_in_one_pass() {
        assert_eq!(check(&rising(200)), (vec![], 1));
    }

    #[test]
    fn a_repetition_is_found_near_and_far() {
        for distance in [1, 64, 65, 150] {
            let mut envelopes = rising(200);
            envelopes[199].0 = envelopes[199 - distance].0;
            let (faults, _) = check(&envelopes);
            assert_eq!(faults, [(199, IdFault::Repeated)], "{distance}");
        }
    }

    #[test]
    fn an_id_out_of_order_is_no_repetition() {
        let mut envelopes = rising(200);
        envelopes[180].0 = 1;
        assert_eq!(check(&envelopes), (vec![], 2));
    }

    #[test]
    fn ids_that_fall_take_as_many_rounds_as_they_ask() {
        let mut envelopes = rising(400);
        envelopes.reverse();
        let (faults, rounds) = check(&envelopes);
        assert_eq!((faults, rounds), (vec![], 4));
        envelopes[399].0 = envelopes[0].0;
        envelopes[200].0 = envelopes[5].0;
        let (faults, _) = check(&envelopes);
        assert_eq!(faults, [(200, IdFault::Repeated), (399, IdFault::Repeated)]);
    }

    #[test]
    fn three_of_a_kind_are_two_repetitions() {
        let mut envelopes = rising(200);
        envelopes[150].0 = envelopes[3].0;
        envelopes[151].0 = envelopes[3].0;
        envelopes[199].0 = envelopes[3].0;
        let (faults, _) = check(&envelopes);
        let lines: Vec<_> = faults.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [150, 151, 199]);
    }

    #[test]
    fn parents_are_found_before_after_and_far_away() {
        let mut envelopes = rising(200);
        envelopes[10].1 = vec![envelopes[9].0, envelopes[199].0];
        envelopes[198].1 = vec![envelopes[0].0, envelopes[100].0];
        assert_eq!(check(&envelopes).0, []);
        envelopes[11].1 = vec![11];
        envelopes[197].1 = vec![13, u128::MAX];
        assert_eq!(
            check(&envelopes).0,
            [
                (11, IdFault::ParentAbsent(11)),
                (197, IdFault::ParentAbsent(13)),
                (197, IdFault::ParentAbsent(u128::MAX)),
            ]
        );
    }
}
