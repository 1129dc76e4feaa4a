//! Phase 7: the Merkle log. Its root is recomputed where the bundle holds all of it; otherwise each run of included
//! envelopes is tied to the root by the paths of its first and its last, and known heads are compared.

use std::collections::BTreeMap;

use recorder_core::hash::{ChainHash, PartHash, TreeHash};
use recorder_envelope::bundle::manifest::ManifestContent;
use recorder_envelope::checkpoint::{SignedCheckpoint, is_of_stream};
use recorder_envelope::merkle::{CompactRange, leaf_hash, verify_inclusion};

use super::Counts;
use super::chain::Run;

use crate::finding::{Finding, FindingCode, Findings, Place};
use crate::limits::VerifyError;
use crate::part::Leaves;
use crate::proofs::Paths;

/// One end of a run: its position and chain hash.
type End = (u64, ChainHash);

/// The log, as far as the bundle shows it.
pub(crate) struct Log<'a> {
    content: &'a ManifestContent,
    /// All leaves from 0 on, while none is missing.
    prefix: Option<CompactRange>,
    /// Sizes whose root is wanted, and the root where it was reached.
    wanted: BTreeMap<u64, Option<TreeHash>>,
    run: Option<(End, End)>,
    runs: u64,
    paths_checked: u64,
    /// Whether every run was tied to the stated root.
    tied: bool,
    whole: bool,
    last_position: Option<u64>,
}

/// What the phase has checked. Only this file makes one.
#[derive(Debug)]
pub struct AnchorsReport {
    counts: Counts,
    tied: bool,
    whole: bool,
    last_position: Option<u64>,
    end_known: bool,
}

impl AnchorsReport {
    pub(crate) fn unreached() -> Self {
        Self {
            counts: Counts::new(),
            tied: false,
            whole: false,
            last_position: None,
            end_known: false,
        }
    }

    /// How many of each thing was checked.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether every included envelope was tied to the root that the manifest states.
    pub fn tied(&self) -> bool {
        self.tied
    }

    /// Whether the bundle holds every envelope of the log, from the first on.
    pub fn whole(&self) -> bool {
        self.whole
    }

    /// The position of the last included envelope.
    pub fn last_position(&self) -> Option<u64> {
        self.last_position
    }

    /// Whether the last included envelope is the last under a head that the auditor knows.
    pub fn end_known(&self) -> bool {
        self.end_known
    }
}

impl<'a> Log<'a> {
    pub(crate) fn new(
        content: &'a ManifestContent,
        known_heads: &[SignedCheckpoint],
        kept_heads: &[SignedCheckpoint],
    ) -> Self {
        let kept = kept_heads.iter().filter(|kept| is_of(kept, content));
        let wanted = known_heads.iter().chain(kept);
        let nothing = CompactRange::empty();
        let root_of = |size: u64| (size == 0).then(|| nothing.root().ok()).flatten();
        let sizes = wanted.map(|head| head.checkpoint().tree_size());
        let wanted = sizes.map(|size| (size, root_of(size)));
        Self {
            content,
            prefix: Some(CompactRange::empty()),
            wanted: wanted.collect(),
            run: None,
            runs: 0,
            paths_checked: 0,
            tied: true,
            whole: false,
            last_position: None,
        }
    }

    /// Sizes at which a part's range is cut, so that its root can be told.
    pub(crate) fn cuts(&self) -> Vec<u64> {
        self.wanted.keys().copied().collect()
    }

    /// Adds the leaves of a part.
    pub(crate) fn add_leaves(&mut self, leaves: &Leaves) {
        let Some(mut prefix) = self.prefix.take() else { return };
        for range in &leaves.ranges {
            if prefix.append(range).is_err() {
                return;
            }
            if let Some(root) = self.wanted.get_mut(&prefix.end()) {
                *root = prefix.root().ok();
            }
        }
        self.prefix = (!leaves.broken_off).then_some(prefix);
    }

    /// The root of the log up to here, where all of it is held.
    pub(crate) fn root(&self) -> Option<(u64, TreeHash)> {
        let prefix = self.prefix.as_ref()?;
        Some((prefix.end(), prefix.root().ok()?))
    }

    /// Adds a run of the chain, which may go on where the last one ended, in another part or segment.
    pub(crate) fn add_run(
        &mut self,
        run: &Run,
        paths: &mut Paths<'_>,
        findings: &mut Findings,
    ) -> Result<(), VerifyError> {
        let first = (run.first.position, run.first.chain_hash);
        let last = (run.last.position, run.last.chain_hash);
        match &mut self.run {
            Some((_, end)) if end.0.checked_add(1) == Some(first.0) && !run.after_unreadable => {
                *end = last;
            }
            _ => {
                self.close_run(paths, findings)?;
                self.run = Some((first, last));
            }
        }
        Ok(())
    }

    /// Says that a part ended with lines that could not be read: no run goes on after them.
    pub(crate) fn break_off(
        &mut self,
        paths: &mut Paths<'_>,
        findings: &mut Findings,
    ) -> Result<(), VerifyError> {
        self.close_run(paths, findings)
    }

    fn close_run(
        &mut self,
        paths: &mut Paths<'_>,
        findings: &mut Findings,
    ) -> Result<(), VerifyError> {
        let Some((first, last)) = self.run.take() else { return Ok(()) };
        self.runs += 1;
        self.last_position = self.last_position.max(Some(last.0));
        let reaches_end = last.0.checked_add(1) == Some(self.content.tree_size);
        if first.0 == 0 && reaches_end && self.runs == 1 {
            self.whole = true;
            return Ok(());
        }
        self.tie(first, paths, findings)?;
        if last.0 != first.0 {
            self.tie(last, paths, findings)?;
        }
        Ok(())
    }

    fn tie(
        &mut self,
        (position, chain_hash): End,
        paths: &mut Paths<'_>,
        findings: &mut Findings,
    ) -> Result<(), VerifyError> {
        let Some(path) = paths.take(position, findings)? else {
            self.tied = false;
            return Ok(());
        };
        self.paths_checked += 1;
        let ManifestContent { tree_size, root_hash, .. } = self.content;
        let leaf = leaf_hash(&chain_hash);
        if let Err(error) = verify_inclusion(&leaf, position, *tree_size, &path, root_hash) {
            self.tied = false;
            let place = Place::Position(position);
            findings.add(Finding::new(FindingCode::InclusionInvalid, place, error.to_string()));
        }
        Ok(())
    }

    /// Ends the phase: the root of a whole log, what is left of the paths, and the heads that the auditor knows.
    ///
    /// Gives the hash of the part of proofs too, where there is one.
    pub(crate) fn finish(
        mut self,
        mut paths: Paths<'_>,
        known_heads: &[SignedCheckpoint],
        kept_heads: &[SignedCheckpoint],
        own: Option<&SignedCheckpoint>,
        findings: &mut Findings,
    ) -> Result<(AnchorsReport, Option<PartHash>), VerifyError> {
        self.close_run(&mut paths, findings)?;
        let hash = paths.finish(findings)?;
        if self.whole {
            self.check_root(findings);
        }
        let compared = self.compare_heads(known_heads, own, findings);
        self.compare_kept(kept_heads, own, findings);
        let counts = Counts::from([
            ("runs", self.runs),
            ("inclusion_paths", self.paths_checked),
            ("roots_recomputed", u64::from(self.whole && self.prefix.is_some())),
            ("known_heads", compared.len() as u64),
            ("cosignatures", own.map_or(0, |own| own.signatures().len() as u64 - 1)),
        ]);
        let end = self.last_position.and_then(|last| last.checked_add(1));
        let report = AnchorsReport {
            counts,
            tied: self.tied && self.runs > 0,
            whole: self.whole,
            last_position: self.last_position,
            end_known: end.is_some_and(|end| compared.contains(&end)),
        };
        Ok((report, hash))
    }

    fn check_root(&mut self, findings: &mut Findings) {
        let stated = (self.content.tree_size, self.content.root_hash);
        let found = self.root();
        if found != Some(stated) {
            self.tied = false;
            let detail = match found {
                Some((_, root)) => format!("{root} computed, {} stated", stated.1),
                None => "the leaves are not those of one log".to_owned(),
            };
            findings.add(Finding::new(FindingCode::RootMismatch, Place::Bundle, detail));
        }
    }

    /// Compares each known head; gives the sizes at which the log is the known one.
    fn compare_heads(
        &self,
        known_heads: &[SignedCheckpoint],
        own: Option<&SignedCheckpoint>,
        findings: &mut Findings,
    ) -> Vec<u64> {
        let mut equal = Vec::new();
        for (index, head) in known_heads.iter().enumerate() {
            let known = head.checkpoint();
            let fault = if !is_of_stream(known.origin(), &self.content.stream)
                || own.is_some_and(|own| own.checkpoint().origin() != known.origin())
            {
                Some((FindingCode::KnownHeadOtherLog, known.origin().to_owned()))
            } else {
                self.compare(known.tree_size(), &known.root())
            };
            match fault {
                None => equal.push(known.tree_size()),
                Some((code, detail)) => {
                    findings.add(Finding::new(code, Place::KnownHead(index as u64), detail));
                }
            }
        }
        equal
    }

    /// Compares the kept heads of the stream. They came with bundles themselves, so they prove no end.
    fn compare_kept(
        &self,
        kept_heads: &[SignedCheckpoint],
        own: Option<&SignedCheckpoint>,
        findings: &mut Findings,
    ) {
        for head in kept_heads.iter().filter(|kept| is_of(kept, self.content)) {
            let kept = head.checkpoint();
            let other_log = own.is_some_and(|own| own.checkpoint().origin() != kept.origin());
            let fault = match other_log {
                true => Some((FindingCode::KnownHeadOtherLog, kept.origin().to_owned())),
                false => self.compare(kept.tree_size(), &kept.root()),
            };
            let (code, detail) = match fault {
                None => continue,
                Some((FindingCode::KnownHeadAhead, detail)) => (FindingCode::KeptHeadAhead, detail),
                Some(fault) => fault,
            };
            findings.add(Finding::new(code, Place::Bundle, detail));
        }
    }

    fn compare(&self, size: u64, root: &TreeHash) -> Option<(FindingCode, String)> {
        let ManifestContent { tree_size, root_hash, .. } = self.content;
        if size > *tree_size {
            let detail = format!("the known log has {size} entries, this one {tree_size}");
            return Some((FindingCode::KnownHeadAhead, detail));
        }
        let here = if size == *tree_size {
            Some(*root_hash)
        } else {
            self.wanted.get(&size).copied().flatten()
        };
        match here {
            Some(here) if here == *root => None,
            Some(here) => {
                let detail = format!("at {size} entries the root is {here}, {root} is known");
                Some((FindingCode::KnownHeadMismatch, detail))
            }
            None => {
                let detail = format!("the bundle does not hold the first {size} entries");
                Some((FindingCode::KnownHeadNotComparable, detail))
            }
        }
    }
}

/// Whether a head is of the bundle's stream, under whatever log name.
fn is_of(head: &SignedCheckpoint, content: &ManifestContent) -> bool {
    is_of_stream(head.checkpoint().origin(), &content.stream)
}
