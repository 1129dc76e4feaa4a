//! Phase 5: geneses and seals, positions, and how segments follow one another.
//!
//! What a segment says of itself is compared with what its envelopes give, and with its neighbours.

use std::collections::BTreeSet;

use recorder_core::hash::{ChainHash, SealHash, TreeHash};
use recorder_core::identity::StreamId;
use recorder_envelope::bundle::manifest::{ManifestContent, ManifestSegment};
use recorder_envelope::envelope::Place as EnvelopePlace;
use recorder_envelope::line::EnvelopeLine;
use recorder_envelope::preimage;
use recorder_envelope::segment::{SegmentGenesis, SignedSeal, SigningPromise};

use super::Counts;
use super::manifest::Admitted;
use crate::container::Container;
use crate::finding::{Finding, FindingCode, Findings, Place};
use crate::limits::VerifyError;

/// Bytes of the largest genesis or seal: names of 256 characters, escaped, and a signature.
const OBJECT_BYTES_MAX: u64 = 16 << 10;

/// A segment's genesis and seal, as far as they could be read.
pub(crate) struct Segment {
    pub(crate) genesis: Option<SegmentGenesis>,
    pub(crate) seal: Option<(SignedSeal, SealHash)>,
}

impl Segment {
    /// Whether its seal bears a signature, whoever's it is.
    pub(crate) fn is_signed(&self) -> bool {
        self.seal.as_ref().is_some_and(|(signed, _)| signed.signature.is_some())
    }

    /// What the first link of the segment follows.
    pub(crate) fn chain_start(&self) -> Option<ChainHash> {
        self.genesis.as_ref().map(|genesis| preimage::chain_start(&genesis.hash()))
    }

    /// Compares an envelope that is the first or, by the seal's count, the last with the one that the seal names.
    pub(crate) fn check_ends(&self, line: &EnvelopeLine<'_>, mut find: impl FnMut(String)) {
        let Some((SignedSeal { seal, .. }, _)) = &self.seal else { return };
        let (sequence, found) = (line.place.sequence, line.envelope_id());
        let ends = [
            (sequence == 0, seal.first_envelope_id, "first"),
            (sequence + 1 == seal.envelope_count, seal.last_envelope_id, "last"),
        ];
        for (_, stated, which) in
            ends.into_iter().filter(|(is_it, stated, _)| *is_it && *stated != found)
        {
            find(format!("its {which} envelope is {found}, stated {stated}"));
        }
    }

    /// Checks where an envelope says that it stands.
    pub(crate) fn check_place(
        &self,
        stated: &ManifestSegment,
        place: &EnvelopePlace,
        mut find: impl FnMut(FindingCode, String),
    ) {
        if place.segment_id != stated.segment_id {
            let detail = format!("the envelope belongs to segment {}", place.segment_id);
            find(FindingCode::SegmentIdMismatch, detail);
        }
        let Some(genesis) = &self.genesis else { return };
        let expected = genesis.first_position.checked_add(place.sequence);
        if expected != Some(place.position) {
            let detail = format!("position {} at sequence {}", place.position, place.sequence);
            find(FindingCode::PositionMismatch, detail);
        }
    }
}

/// What the phase has checked. Only this file makes one.
#[derive(Debug)]
pub struct SegmentsReport {
    counts: Counts,
    last_sealed: bool,
    last_position: Option<u64>,
}

impl SegmentsReport {
    pub(crate) fn unreached() -> Self {
        Self { counts: Counts::new(), last_sealed: false, last_position: None }
    }

    /// How many of each thing was checked.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether the last segment is sealed.
    pub fn last_sealed(&self) -> bool {
        self.last_sealed
    }

    /// The position of the last envelope of the last segment, included or not.
    pub fn last_position(&self) -> Option<u64> {
        self.last_position
    }
}

/// All segments of a bundle, read and compared with one another before any envelope is read.
pub(crate) struct Segments {
    list: Vec<Segment>,
}

fn number(segment: usize) -> Place {
    Place::Segment(segment as u64)
}

impl Segments {
    /// Reads all geneses and seals.
    pub(crate) fn read(
        container: &Container<'_>,
        admitted: &Admitted,
        findings: &mut Findings,
    ) -> Result<Self, VerifyError> {
        let mut list = Vec::new();
        for (stated, parts) in admitted.content().segments.iter().zip(&admitted.plan.segments) {
            let genesis = read_genesis(container, admitted, parts.genesis, stated, findings)?;
            let seal = match parts.seal {
                None => None,
                Some(part) => read_seal(container, admitted, part, stated, findings)?,
            };
            list.push(Segment { genesis, seal });
        }
        Ok(Self { list })
    }

    pub(crate) fn get(&self, segment: usize) -> &Segment {
        &self.list[segment]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.list.iter()
    }

    /// The strongest promise about signatures, which is the last.
    pub(crate) fn promise(&self) -> SigningPromise {
        let promises = self.list.iter().filter_map(|segment| segment.genesis.as_ref());
        promises.map(|genesis| genesis.signing).max().unwrap_or(SigningPromise::None)
    }

    /// Checks every segment by itself and against the one before.
    pub(crate) fn check(&self, admitted: &Admitted, findings: &mut Findings) {
        let content = admitted.content();
        check_repetition(content, findings);
        self.check_strangers(content, findings);
        for (index, segment) in self.list.iter().enumerate() {
            let stated = &content.segments[index];
            let last = index + 1 == self.list.len();
            check_sealing(index, admitted, last, findings);
            if let Some((signed, _)) = &segment.seal {
                check_seal(index, stated, segment, signed, findings);
            }
            if let Some(genesis) = &segment.genesis {
                check_genesis(index, genesis, &content.stream, findings);
                check_extent(index, genesis, stated, last, content.tree_size, findings);
            }
        }
        let neighbours = self.list.windows(2).zip(content.segments.windows(2));
        for (index, (pair, stated)) in neighbours.enumerate() {
            if let ([before, after], [stated_before, _]) = (pair, stated) {
                check_neighbours(index + 1, before, stated_before, after, findings);
            }
        }
    }

    /// A segment follows the one with the index before: none that stands elsewhere in the bundle.
    fn check_strangers(&self, content: &ManifestContent, findings: &mut Findings) {
        let ids: BTreeSet<_> = content.segments.iter().map(|segment| segment.segment_id).collect();
        for (index, segment) in self.list.iter().enumerate() {
            let Some(genesis) = &segment.genesis else { continue };
            let Some(predecessor) = &genesis.predecessor else { continue };
            let before = index.checked_sub(1).and_then(|before| self.list[before].genesis.as_ref());
            let follows = |before: &SegmentGenesis| {
                before.segment_index.checked_add(1) == Some(genesis.segment_index)
            };
            if !before.is_some_and(follows) && ids.contains(&predecessor.segment_id) {
                let detail = "it names a segment that has another index";
                let code = FindingCode::PredecessorMismatch;
                findings.add(Finding::new(code, number(index), detail));
            }
        }
    }

    /// Compares the root of the log at a segment's end with what its seal states.
    pub(crate) fn check_root(
        &self,
        segment: usize,
        tree_size: u64,
        root: &TreeHash,
        findings: &mut Findings,
    ) {
        let Some((signed, _)) = &self.list[segment].seal else { return };
        if signed.seal.tree_size == tree_size && signed.seal.root_hash != *root {
            let detail = format!("the root at {tree_size} is {root}");
            findings.add(Finding::new(FindingCode::SealTreeMismatch, number(segment), detail));
        }
    }

    /// Ends the phase.
    pub(crate) fn finish(&self, content: &ManifestContent) -> SegmentsReport {
        let sealed = self.list.iter().filter(|segment| segment.seal.is_some()).count();
        let counts =
            Counts::from([("segments", self.list.len() as u64), ("sealed", sealed as u64)]);
        let last_sealed = self.list.last().is_some_and(|segment| segment.seal.is_some());
        let first = self.list.last().and_then(|segment| segment.genesis.as_ref());
        let last_position = first.zip(content.segments.last()).and_then(|(genesis, stated)| {
            genesis.first_position.checked_add(stated.envelope_count)?.checked_sub(1)
        });
        SegmentsReport { counts, last_sealed, last_position }
    }
}

fn read_genesis(
    container: &Container<'_>,
    admitted: &Admitted,
    part: usize,
    stated: &ManifestSegment,
    findings: &mut Findings,
) -> Result<Option<SegmentGenesis>, VerifyError> {
    let code = FindingCode::GenesisInvalid;
    let bytes = admitted.read_small(container, part, OBJECT_BYTES_MAX, code, findings)?;
    let Some(bytes) = bytes else { return Ok(None) };
    let place = admitted.place(part);
    match SegmentGenesis::from_canonical(&bytes) {
        Ok(genesis) => {
            let hash = preimage::genesis_hash(&bytes);
            if hash != stated.genesis_hash {
                let detail = format!("{hash} computed, {} stated", stated.genesis_hash);
                let code = FindingCode::GenesisHashMismatch;
                findings.add(Finding::new(code, place.clone(), detail));
            }
            if genesis.segment_id != stated.segment_id {
                let detail = format!("the genesis is of segment {}", genesis.segment_id);
                findings.add(Finding::new(FindingCode::SegmentIdMismatch, place, detail));
            }
            Ok(Some(genesis))
        }
        Err(error) => {
            findings.add(Finding::new(code, place, error.to_string()));
            Ok(None)
        }
    }
}

fn read_seal(
    container: &Container<'_>,
    admitted: &Admitted,
    part: usize,
    stated: &ManifestSegment,
    findings: &mut Findings,
) -> Result<Option<(SignedSeal, SealHash)>, VerifyError> {
    let code = FindingCode::SealInvalid;
    let bytes = admitted.read_small(container, part, OBJECT_BYTES_MAX, code, findings)?;
    let Some(bytes) = bytes else { return Ok(None) };
    let place = admitted.place(part);
    match SignedSeal::from_canonical(&bytes) {
        Ok(signed) => {
            let hash = signed.seal.hash();
            if stated.seal_hash != Some(hash) {
                let detail = format!("{hash} computed, another or none stated");
                findings.add(Finding::new(FindingCode::SealHashMismatch, place, detail));
            }
            Ok(Some((signed, hash)))
        }
        Err(error) => {
            findings.add(Finding::new(code, place, error.to_string()));
            Ok(None)
        }
    }
}

fn check_repetition(content: &ManifestContent, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, segment) in content.segments.iter().enumerate() {
        if !seen.insert(segment.segment_id) {
            let detail = format!("segment {} is there twice", segment.segment_id);
            findings.add(Finding::new(FindingCode::SegmentRepeated, number(index), detail));
        }
    }
}

/// A segment is sealed, or it is the last; a stated seal is there.
fn check_sealing(index: usize, admitted: &Admitted, last: bool, findings: &mut Findings) {
    let stated = admitted.content().segments[index].seal_hash.is_some();
    let present = admitted.plan.segments[index].seal.is_some();
    if stated && !present {
        let detail = "the manifest states a seal hash and the seal is not there";
        findings.add(Finding::new(FindingCode::SealMissing, number(index), detail));
    } else if !stated && !present && !last {
        let detail = "only the last segment of a stream is open";
        findings.add(Finding::new(FindingCode::SealMissing, number(index), detail));
    }
}

fn check_seal(
    index: usize,
    stated: &ManifestSegment,
    segment: &Segment,
    signed: &SignedSeal,
    findings: &mut Findings,
) {
    let seal = &signed.seal;
    let mut find = |code, detail: &str| findings.add(Finding::new(code, number(index), detail));
    if seal.segment_id != stated.segment_id {
        find(FindingCode::SealMismatch, "the seal is of another segment");
    }
    if seal.genesis_hash != stated.genesis_hash {
        find(FindingCode::SealMismatch, "the seal names another genesis");
    }
    if seal.envelope_count != stated.envelope_count {
        find(FindingCode::SealMismatch, "the seal states another number of envelopes");
    }
    if seal.chain_head != stated.chain_head {
        find(FindingCode::SealMismatch, "the seal states another chain head");
    }
    let Some(genesis) = &segment.genesis else { return };
    if Some(seal.tree_size) != genesis.first_position.checked_add(seal.envelope_count) {
        find(FindingCode::SealTreeMismatch, "the seal states another tree size");
    }
    if seal.sealed_at < genesis.opened_at {
        find(FindingCode::SegmentTimeOrder, "sealed before it was opened");
    }
}

fn check_genesis(
    index: usize,
    genesis: &SegmentGenesis,
    stream: &StreamId,
    findings: &mut Findings,
) {
    let mut find = |code, detail: &str| findings.add(Finding::new(code, number(index), detail));
    if genesis.stream != *stream {
        find(FindingCode::StreamMixed, "the genesis is of another stream");
    }
    match (&genesis.predecessor, genesis.segment_index) {
        (None, 0) if genesis.first_position > 0 => {
            find(
                FindingCode::PredecessorUnexpected,
                "the first segment does not begin at position 0",
            );
        }
        (None, 0) => {}
        (None, _) => find(FindingCode::PredecessorMissing, "a genesis that follows nothing"),
        (Some(_), 0) => {
            find(FindingCode::PredecessorUnexpected, "the first segment names a predecessor");
        }
        // Every segment before this one holds at least one envelope.
        (Some(_), before) if genesis.first_position < before => {
            find(FindingCode::SegmentOrder, "it begins before the segments before it can end");
        }
        (Some(_), _) => {}
    }
}

/// The log reaches to the end of every segment, and exactly to that of an open one.
fn check_extent(
    index: usize,
    genesis: &SegmentGenesis,
    stated: &ManifestSegment,
    last: bool,
    tree_size: u64,
    findings: &mut Findings,
) {
    let end = genesis.first_position.saturating_add(stated.envelope_count);
    let open = stated.seal_hash.is_none() && last;
    if end > tree_size || (open && end != tree_size) {
        let detail = format!("it ends at {end}, the log at {tree_size}");
        findings.add(Finding::new(FindingCode::TreeSizeMismatch, number(index), detail));
    }
}

fn check_neighbours(
    index: usize,
    before: &Segment,
    stated_before: &ManifestSegment,
    after: &Segment,
    findings: &mut Findings,
) {
    let (Some(left), Some(right)) = (&before.genesis, &after.genesis) else { return };
    let mut find = |code, detail: &str| findings.add(Finding::new(code, number(index), detail));
    if right.signing < left.signing {
        find(FindingCode::SigningWeakened, "it promises less than the segment before it");
    }
    let left_end = left.first_position.saturating_add(stated_before.envelope_count);
    let Some(skipped) = right.segment_index.checked_sub(left.segment_index.saturating_add(1))
    else {
        find(FindingCode::SegmentOrder, "its index does not come after the one before");
        return;
    };
    if skipped > 0 {
        if right.first_position < left_end.saturating_add(skipped) {
            find(FindingCode::SegmentOrder, "it begins before the segments before it can end");
        }
        return;
    }
    if right.first_position != left_end {
        find(FindingCode::SegmentOrder, "it does not begin where the segment before it ends");
    }
    let Some(predecessor) = &right.predecessor else { return };
    if predecessor.segment_id != stated_before.segment_id
        || predecessor.chain_head != stated_before.chain_head
        || Some(predecessor.seal_hash) != stated_before.seal_hash
    {
        let detail = "the segment before it has another id, chain head or seal";
        find(FindingCode::PredecessorMismatch, detail);
    }
}
