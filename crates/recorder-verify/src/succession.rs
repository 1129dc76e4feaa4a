//! Which key was in force where, as the rotations of a bundle tell it (evidence format §10).
//!
//! Keys must be known before the signatures that later segments bear, so the first line of each segment that a rotation
//! may begin is read ahead of the pass over all envelopes. A rotation can only narrow what the trust root says of a key
//! that it names; a key that it does not name is trusted only where a trusted key in force brought it in. Where the
//! bundle leaves out what came between, nothing is guessed: keys are then those of the trust root.

use std::collections::{BTreeMap, BTreeSet};

use recorder_core::hash::KeyId;
use recorder_envelope::line::EnvelopeLine;
use recorder_envelope::rotation::{Rotation, RotationKind};
use recorder_envelope::segment::{SealReason, SegmentGenesis};
use recorder_envelope::signing::PublicKey;

use crate::archive::ReadError;
use crate::container::Container;
use crate::finding::{Finding, FindingCode, Findings, Place};
use crate::limits::VerifyError;
use crate::lines::{Lines, Next};
use crate::phase::manifest::Admitted;
use crate::phase::segments::{Segment, Segments};
use crate::phase::signatures::Trust;

/// Where a key was in force, both positions included, and the key itself where a trusted key brought it in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reign {
    pub(crate) brought_in: Option<PublicKey>,
    /// The key of the trust root that the chain of those who brought it in begins with.
    pub(crate) rooted_in: Option<KeyId>,
    from: Option<u64>,
    until: Option<u64>,
}

impl Reign {
    pub(crate) fn covers(&self, position: u64) -> bool {
        self.from.is_none_or(|from| from <= position)
            && self.until.is_none_or(|until| position <= until)
    }
}

/// What the rotations of a bundle amount to.
#[derive(Debug, Default)]
pub(crate) struct Succession {
    reigns: BTreeMap<KeyId, Reign>,
    /// Segments whose first envelope is a rotation that was judged here.
    judged: BTreeSet<usize>,
    /// The new key of a break-glass rotation, by the segment before it.
    break_glass: BTreeMap<usize, KeyId>,
}

impl Succession {
    /// Reads the rotations of a bundle in order and adds to `trust` what follows from them.
    pub(crate) fn follow(
        container: &Container<'_>,
        admitted: &Admitted,
        segments: &Segments,
        trust: &mut Trust<'_>,
        findings: &mut Findings,
    ) -> Result<(), VerifyError> {
        let mut walk = Walk { trust, epoch: 0, in_force: None, gapless: true };
        let mut before: Option<&Segment> = None;
        for (index, segment) in segments.iter().enumerate() {
            let step = Step { index, segment, before: before.filter(|it| adjoins(it, segment)) };
            before = Some(segment);
            if !walk.may_rotate(&step) {
                continue;
            }
            let parts = &admitted.plan.segments[index].envelopes;
            let Some(part) = parts.first().copied() else {
                walk.lose_track();
                continue;
            };
            let mut lines = Lines::new(container.reader(admitted.member(part)));
            let line = match lines.next_line() {
                Ok(Next::Line(bytes) | Next::Unterminated(bytes)) => {
                    EnvelopeLine::parse(bytes).ok()
                }
                // Whatever is wrong with the part is found when all of it is read.
                Ok(Next::End | Next::TooLong) | Err(ReadError::Refused(_)) => None,
                Err(ReadError::Failed(error)) => return Err(error),
            };
            if let Err(why) = walk.first_line(&step, line.as_ref()) {
                let place = Place::Line { part: admitted.part(part).name.clone(), line: 1 };
                findings.add(Finding::new(FindingCode::RotationInvalid, place, why));
                walk.lose_track();
            }
        }
        Ok(())
    }

    /// What rotations say of a key.
    pub(crate) fn reign(&self, key_id: &KeyId) -> Option<&Reign> {
        self.reigns.get(key_id)
    }

    /// The keys that trusted keys brought in.
    pub(crate) fn brought_in(&self) -> impl Iterator<Item = &PublicKey> {
        self.reigns.values().filter_map(|reign| reign.brought_in.as_ref())
    }

    /// The position that a seal is judged at: its last envelope's. Without the old key nobody but the new one could
    /// seal, so before a break-glass rotation the new key's seal counts as made where that key begins.
    pub(crate) fn seal_position(&self, segment: usize, key_id: KeyId, tree_size: u64) -> u64 {
        let by_new_key = self.break_glass.get(&segment) == Some(&key_id);
        if by_new_key { tree_size } else { tree_size.saturating_sub(1) }
    }

    /// Why an envelope is a rotation out of place, if it is one.
    pub(crate) fn misplaced(
        &self,
        segment: usize,
        line: &EnvelopeLine<'_>,
    ) -> Option<&'static str> {
        RotationKind::of_event(line.event_type())?;
        let judged = line.place.sequence == 0 && self.judged.contains(&segment);
        (!judged).then_some("a rotation begins the segment after a seal with reason key_rotation")
    }
}

/// One segment, and the one before it where the bundle holds that.
struct Step<'a> {
    index: usize,
    segment: &'a Segment,
    before: Option<&'a Segment>,
}

/// Whether one segment is the next after another.
fn adjoins(before: &Segment, segment: &Segment) -> bool {
    let index = |segment: &Segment| segment.genesis.as_ref().map(|it| it.segment_index);
    index(before).and_then(|it| it.checked_add(1)).is_some_and(|it| Some(it) == index(segment))
}

/// Rotations from the first segment on.
struct Walk<'a, 't> {
    trust: &'a mut Trust<'t>,
    /// Of the last rotation; 0 before the first.
    epoch: u64,
    /// The key that the last rotation brought in.
    in_force: Option<KeyId>,
    /// Whether no rotation can have been missed.
    gapless: bool,
}

impl Walk<'_, '_> {
    fn lose_track(&mut self) {
        self.gapless = false;
        self.in_force = None;
    }

    /// Whether a rotation may stand at the beginning of a segment, as far as can be told.
    fn may_rotate(&mut self, step: &Step<'_>) -> bool {
        let first = step.segment.genesis.as_ref().is_some_and(|it| it.segment_index == 0);
        match step.before {
            Some(before) => before
                .seal
                .as_ref()
                .is_none_or(|(signed, _)| signed.seal.reason == SealReason::KeyRotation),
            None if first && step.index == 0 => false,
            None => {
                self.lose_track();
                true
            }
        }
    }

    /// Judges the first line of a segment that a rotation may begin; the error says what is wrong with the rotation.
    fn first_line(
        &mut self,
        step: &Step<'_>,
        line: Option<&EnvelopeLine<'_>>,
    ) -> Result<(), String> {
        let genesis = step.segment.genesis.as_ref();
        let first = line.filter(|line| line.place.sequence == 0).zip(genesis);
        let Some((line, genesis)) = first else {
            self.lose_track();
            return Ok(());
        };
        let Some(kind) = RotationKind::of_event(line.event_type()) else { return Ok(()) };
        // What is said here is said once, not again by the pass over all envelopes.
        self.trust.succession.judged.insert(step.index);
        let Some((payload, _)) = line.payload() else {
            self.withheld(step, genesis.first_position);
            return Ok(());
        };
        let rotation = Rotation::parse(kind, payload).map_err(|error| error.to_string())?;
        self.check_place(step, genesis, line, &rotation)?;
        self.check_order(&rotation)?;
        check_seal(step, &rotation)?;
        self.accept(step, &rotation)
    }

    /// The terms are those of this place in this stream.
    fn check_place(
        &self,
        step: &Step<'_>,
        genesis: &SegmentGenesis,
        line: &EnvelopeLine<'_>,
        rotation: &Rotation,
    ) -> Result<(), String> {
        let terms = rotation.terms();
        if terms.stream != *self.trust.stream {
            return Err(format!("it is a rotation of stream {}", terms.stream));
        }
        let (stated, found) = (terms.effective_position, line.place.position);
        if stated != found || found != genesis.first_position {
            return Err(format!("it is effective at {stated} and stands at {found}"));
        }
        let named = genesis.predecessor.as_ref().map(|before| before.seal_hash);
        let sealed = step.before.map(|before| before.seal.as_ref().map(|(_, hash)| *hash));
        let expected = Some(terms.predecessor_seal_hash);
        if named != expected || sealed.is_some_and(|hash| hash != expected) {
            return Err("it follows another seal than the one before it".to_owned());
        }
        Ok(())
    }

    /// It follows the last rotation: by epoch, and from the key that was in force to one that never was.
    fn check_order(&self, rotation: &Rotation) -> Result<(), String> {
        let terms = rotation.terms();
        let follows = match self.gapless {
            true => Some(terms.epoch) == self.epoch.checked_add(1),
            false => terms.epoch > self.epoch,
        };
        if !follows {
            return Err(format!("epoch {} after epoch {}", terms.epoch, self.epoch));
        }
        if self.in_force.is_some_and(|key_id| key_id != terms.old_key_id) {
            return Err(format!("key {} was not in force", terms.old_key_id));
        }
        let new_key_id = terms.new_key.key_id();
        if self.trust.succession.reigns.contains_key(&new_key_id) {
            return Err(format!("key {new_key_id} was in force before"));
        }
        Ok(())
    }

    /// Adds what follows from a rotation that is sound in itself.
    fn accept(&mut self, step: &Step<'_>, rotation: &Rotation) -> Result<(), String> {
        let terms = rotation.terms();
        let last = terms.effective_position - 1;
        let vouched = match (rotation.kind(), self.trust.key_at(&terms.old_key_id, last)) {
            (RotationKind::BreakGlass, _) | (RotationKind::Planned, None) => false,
            (RotationKind::Planned, Some(old)) => {
                let proven = rotation.verify_old(old);
                proven.map_err(|_| "the old key's proof does not hold".to_owned())?;
                true
            }
        };
        let new_key_id = terms.new_key.key_id();
        let succession = &mut self.trust.succession;
        let until = &mut succession.reigns.entry(terms.old_key_id).or_default().until;
        *until = Some(until.unwrap_or(last).min(last));
        let before = succession.reigns.get(&terms.old_key_id).and_then(|reign| reign.rooted_in);
        let reign = Reign {
            brought_in: vouched.then_some(terms.new_key),
            rooted_in: vouched.then_some(before.unwrap_or(terms.old_key_id)),
            from: Some(terms.effective_position),
            until: None,
        };
        succession.reigns.insert(new_key_id, reign);
        if rotation.kind() == RotationKind::BreakGlass && step.before.is_some() {
            succession.break_glass.insert(step.index - 1, new_key_id);
        }
        self.epoch = terms.epoch;
        self.in_force = Some(new_key_id);
        Ok(())
    }

    /// A rotation whose payload is left out: that the key before it ended is known, what follows is not.
    fn withheld(&mut self, step: &Step<'_>, first_position: u64) {
        self.lose_track();
        if let Some(key_id) = step.before.and_then(sealed_by)
            && let Some(last) = first_position.checked_sub(1)
        {
            let until = &mut self.trust.succession.reigns.entry(key_id).or_default().until;
            *until = Some(until.unwrap_or(last).min(last));
        }
    }
}

fn sealed_by(segment: &Segment) -> Option<KeyId> {
    segment.seal.as_ref()?.0.signature.map(|signature| signature.key_id())
}

/// The seal before it is by the key that ends; where that is lost, by the one that begins.
fn check_seal(step: &Step<'_>, rotation: &Rotation) -> Result<(), String> {
    let Some(before) = step.before else { return Ok(()) };
    let terms = rotation.terms();
    match (sealed_by(before), rotation.kind()) {
        (Some(key_id), _) if key_id == terms.old_key_id => Ok(()),
        (Some(key_id), RotationKind::BreakGlass) if key_id == terms.new_key.key_id() => Ok(()),
        (Some(key_id), _) => Err(format!("the seal before it is by key {key_id}")),
        (None, _) => Err("the seal before it is not signed".to_owned()),
    }
}
