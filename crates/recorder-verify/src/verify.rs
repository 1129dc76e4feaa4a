//! Runs the seven phases over a bundle: small objects first, then all envelopes in one pass, then what they add up to.

use recorder_envelope::bundle::layout;
use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::trust_root::TrustRoot;

use crate::archive::ReadError;
use crate::container::Container;
use crate::finding::{Finding, FindingCode, Findings, Place};
use crate::ids::IdPass;
use crate::limits::{VerifyError, VerifyLimits, within};
use crate::lines;
use crate::part::{Ids, PartContext, PartId, PartReport};
use crate::phase::anchors::Log;
use crate::phase::attachments::{self, Closure};
use crate::phase::chain::Chain;
use crate::phase::content::{self, ContentTally, OmittedParents};
use crate::phase::manifest::{self, Admitted, check_hash};
use crate::phase::segments::Segments;
use crate::phase::signatures::{self, EnvelopeSignatures, Trust};
use crate::pool;
use crate::proofs::{Gaps, Paths};
use crate::report::{Report, Subject};
use crate::source::ReadAt;
use crate::succession::Succession;
use crate::verdict::Phases;

/// What a verification goes by. Nothing in it comes from the bundle.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// How much work is allowed.
    pub limits: VerifyLimits,
    /// Whom the auditor believes.
    pub trust_root: Option<TrustRoot>,
    /// Checkpoints of the log that the auditor holds from elsewhere.
    pub known_heads: Vec<SignedCheckpoint>,
    /// Checkpoints of earlier bundles that verified here. A log that is shorter is said to be, and is not refused.
    pub kept_heads: Vec<SignedCheckpoint>,
    /// Threads that check envelopes. The result does not depend on it.
    pub threads: usize,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        let limits = VerifyLimits::default();
        let (known_heads, kept_heads) = (Vec::new(), Vec::new());
        Self { limits, trust_root: None, known_heads, kept_heads, threads: 1 }
    }
}

/// How far a verification has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// Bytes of parts that were checked, all passes together.
    pub done_bytes: u64,
    /// Bytes of all parts of one pass.
    pub total_bytes: u64,
}

/// Verifies a bundle.
///
/// # Errors
///
/// `VerifyError` where the bundle could not be judged. Whatever is wrong with it is in the report.
pub fn verify(
    bundle: &dyn ReadAt,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, VerifyError> {
    let mut findings = Findings::default();
    let container = match Container::open(bundle, &options.limits) {
        Ok(container) => container,
        Err(ReadError::Refused(finding)) => {
            findings.add(finding);
            return Ok(Report::conclude(Phases::refused(), findings, None));
        }
        Err(ReadError::Failed(error)) => return Err(error),
    };
    match manifest::admit(&container, &options.limits, &mut findings)? {
        None => Ok(Report::conclude(Phases::refused(), findings, None)),
        Some(admitted) => run_phases(&container, &admitted, options, findings, progress),
    }
}

fn run_phases(
    container: &Container<'_>,
    admitted: &Admitted,
    options: &VerifyOptions,
    mut findings: Findings,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, VerifyError> {
    let content = admitted.content();
    let segments = Segments::read(container, admitted, &mut findings)?;
    segments.check(admitted, &mut findings);
    attachments::check_list(admitted, &options.limits, &mut findings);
    let closure = Closure::new(&content.attachments);
    let mut trust = Trust::new(options.trust_root.as_ref(), &content.stream);
    Succession::follow(container, admitted, &segments, &mut trust, &mut findings)?;
    let log = Log::new(content, &options.known_heads, &options.kept_heads);
    let cuts = log.cuts();
    let context = PartContext {
        container,
        admitted,
        segments: &segments,
        closure: &closure,
        trust: &trust,
        cuts: &cuts,
    };
    let mut pass = Pass::new(&context, log, findings, progress);
    pass.envelopes(options)?;
    pass.settle_ids(options)?;
    let Pass { log, gaps, paths, chain, tally, envelope_signatures, omitted, mut findings, .. } =
        pass;
    gaps.finish(&mut findings)?;
    read_others(&context, options, &mut findings)?;
    check_counts(admitted, tally, &mut findings);
    let content_report = content::finish(tally, omitted, &mut findings);
    let signatures = signatures::check(
        container,
        admitted,
        &segments,
        &trust,
        envelope_signatures,
        tally.envelopes,
        &mut findings,
    )?;
    let own = signatures.checkpoint();
    let (anchors, proofs) =
        log.finish(paths, &options.known_heads, &options.kept_heads, own, &mut findings)?;
    if let (Some(part), Some(hash)) = (admitted.plan.proofs, proofs) {
        check_hash(admitted.part(part), &hash, &mut findings);
    }
    warn_of_policy(options, &mut findings);
    let phases = Phases {
        manifest: admitted.report(),
        attachments: closure.finish(&mut findings),
        content: content_report,
        chain: chain.finish(),
        segments: segments.finish(content),
        signatures,
        anchors,
    };
    let subject = Subject {
        bundle_id: admitted.manifest.bundle_id(),
        envelope_count: tally.envelopes,
        form: container.form(),
        stream: content.stream.clone(),
        tree_size: content.tree_size,
    };
    Ok(Report::conclude(phases, findings, Some(subject)))
}

/// What the manifest counts, against what there is.
fn check_counts(admitted: &Admitted, tally: ContentTally, findings: &mut Findings) {
    let stated = admitted.content().envelope_count;
    let found = tally.envelopes + tally.unreadable;
    if stated != found {
        let detail = format!("{found} found, {stated} stated");
        let place = Place::Part(layout::MANIFEST.into());
        findings.add(Finding::new(FindingCode::EnvelopeCountMismatch, place, detail));
    }
}

fn warn_of_policy(options: &VerifyOptions, findings: &mut Findings) {
    let policy = options.trust_root.as_ref().and_then(TrustRoot::witness_policy);
    if policy.is_some() {
        let detail = "no cosignature was checked";
        let code = FindingCode::WitnessPolicyUnchecked;
        findings.add(Finding::new(code, Place::Bundle, detail));
    }
}

/// Reads what is neither envelopes nor small: attachment bytes and the text for people.
fn read_others(
    context: &PartContext<'_>,
    options: &VerifyOptions,
    findings: &mut Findings,
) -> Result<(), VerifyError> {
    let PartContext { container, admitted, .. } = *context;
    if let Some(part) = admitted.plan.readme {
        match lines::hash_of(container.reader(admitted.member(part))) {
            Ok(found) => check_hash(admitted.part(part), &found, findings),
            Err(ReadError::Refused(finding)) => findings.add(finding),
            Err(ReadError::Failed(error)) => return Err(error),
        }
    }
    let list = &admitted.plan.attachments;
    let work = |index: usize| {
        let mut found = Findings::default();
        let result = attachments::check_bytes(container, admitted, list[index], &mut found);
        (found, result)
    };
    pool::in_order(list.len(), options.threads, work, |(found, result)| {
        findings.merge(found);
        result
    })
}

/// The pass over all envelopes: parts are checked in parallel and stitched here, in order.
struct Pass<'a> {
    context: &'a PartContext<'a>,
    parts: Vec<PartId>,
    findings: Findings,
    log: Log<'a>,
    gaps: Gaps<'a>,
    paths: Paths<'a>,
    chain: Chain,
    tally: ContentTally,
    envelope_signatures: EnvelopeSignatures,
    omitted: OmittedParents,
    ids: IdPass,
    /// The segment under way and how many of its envelopes were found.
    segment: Option<(usize, u64)>,
    progress: &'a mut dyn FnMut(Progress),
    done_bytes: u64,
    total_bytes: u64,
}

impl<'a> Pass<'a> {
    fn new(
        context: &'a PartContext<'a>,
        log: Log<'a>,
        findings: Findings,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Self {
        let admitted = context.admitted;
        let content = admitted.content();
        let mut parts = Vec::new();
        for (segment, listed) in admitted.plan.segments.iter().enumerate() {
            for part in &listed.envelopes {
                parts.push(PartId { number: parts.len() as u32, segment, part: *part });
            }
        }
        let proofs = admitted.plan.proofs.map(|part| admitted.member(part));
        let ids = content.segments.iter().map(|segment| segment.segment_id);
        let total_bytes = parts.iter().map(|id| admitted.part(id.part).size_bytes).sum();
        Self {
            context,
            parts,
            findings,
            log,
            gaps: Gaps::new(context.container, proofs, ids),
            paths: Paths::new(context.container, proofs),
            chain: Chain::new(),
            tally: ContentTally::default(),
            envelope_signatures: EnvelopeSignatures::default(),
            omitted: OmittedParents::new(&content.omitted_parent_ids),
            ids: IdPass::first(),
            segment: None,
            progress,
            done_bytes: 0,
            total_bytes,
        }
    }

    fn envelopes(&mut self, options: &VerifyOptions) -> Result<(), VerifyError> {
        let (context, parts) = (self.context, std::mem::take(&mut self.parts));
        let work = |index: usize| context.check(parts[index]);
        let result =
            pool::in_order(parts.len(), options.threads, work, |report| self.stitch(report));
        self.parts = parts;
        result?;
        self.end_segments(self.context.admitted.content().segments.len())
    }

    fn stitch(&mut self, report: PartReport) -> Result<(), VerifyError> {
        let PartReport { id, findings, runs, leaves, ids, tally, signatures, failure } = report;
        if let Some(error) = failure {
            return Err(error);
        }
        self.enter_segment(id.segment)?;
        self.findings.merge(findings);
        for run in &runs.runs {
            self.chain.run(run, &mut self.gaps, &mut self.findings)?;
            self.log.add_run(run, &mut self.paths, &mut self.findings)?;
        }
        if runs.ends_unreadable() {
            self.chain.break_off();
            self.log.break_off(&mut self.paths, &mut self.findings)?;
        }
        self.log.add_leaves(&leaves);
        if let Some((_, found)) = &mut self.segment {
            *found += tally.envelopes + tally.unreadable;
        }
        self.tally.add(&tally);
        self.envelope_signatures.add(signatures);
        self.see_ids(&ids, true);
        self.advance(id);
        Ok(())
    }

    fn advance(&mut self, id: PartId) {
        self.done_bytes += self.context.admitted.part(id.part).size_bytes;
        let (done_bytes, total_bytes) = (self.done_bytes, self.total_bytes);
        (self.progress)(Progress { done_bytes, total_bytes });
    }

    fn see_ids(&mut self, ids: &Ids, first: bool) {
        let context = self.context;
        for (arrival, parents) in ids.iter() {
            if first && self.omitted.lists(arrival.id) {
                let (code, place) =
                    (FindingCode::OmittedParentPresent, place_of(context, arrival.at));
                self.findings.add(Finding::new(code, place, "its id is listed as omitted"));
            }
            let omitted = &mut self.omitted;
            let sought = parents.iter().copied().filter(|parent| !omitted.name(*parent));
            self.ids.arrive(arrival, sought);
        }
    }

    /// Ends the segments before this one and begins it.
    fn enter_segment(&mut self, segment: usize) -> Result<(), VerifyError> {
        if self.segment.is_some_and(|(current, _)| current == segment) {
            return Ok(());
        }
        self.end_segments(segment)?;
        let start = self.context.segments.get(segment).chain_start();
        self.chain.begin(segment as u64, start.as_ref());
        self.segment = Some((segment, 0));
        Ok(())
    }

    /// Ends the segment under way, and those without parts before `until`.
    fn end_segments(&mut self, until: usize) -> Result<(), VerifyError> {
        let stated = &self.context.admitted.content().segments;
        let next = match self.segment.take() {
            None => 0,
            Some((segment, found)) => {
                self.end_segment(segment, found)?;
                segment + 1
            }
        };
        for segment in next..until.min(stated.len()) {
            let place = Place::Segment(segment as u64);
            let detail = "the bundle holds no envelope of it";
            self.findings.add(Finding::new(FindingCode::SegmentEmpty, place, detail));
        }
        Ok(())
    }

    fn end_segment(&mut self, segment: usize, found: u64) -> Result<(), VerifyError> {
        let stated = &self.context.admitted.content().segments[segment];
        self.chain.end(stated, &mut self.gaps, &mut self.findings)?;
        if let Some((size, root)) = self.log.root() {
            self.context.segments.check_root(segment, size, &root, &mut self.findings);
        }
        let place = || Place::Segment(segment as u64);
        if found != stated.included_count {
            let detail = format!("{found} found, {} stated", stated.included_count);
            let code = FindingCode::IncludedCountMismatch;
            self.findings.add(Finding::new(code, place(), detail));
        }
        if found > stated.envelope_count || self.chain.next_sequence() > stated.envelope_count {
            let detail = format!("it holds more than the stated {}", stated.envelope_count);
            let code = FindingCode::EnvelopeCountMismatch;
            self.findings.add(Finding::new(code, place(), detail));
        }
        if stated.complete != (found == stated.envelope_count) {
            let detail = format!("{found} of {} envelopes are there", stated.envelope_count);
            let code = FindingCode::CompleteFlagMismatch;
            self.findings.add(Finding::new(code, place(), detail));
        }
        Ok(())
    }

    /// Answers what the pass could not settle about ids, by reading them again.
    fn settle_ids(&mut self, options: &VerifyOptions) -> Result<(), VerifyError> {
        let mut rounds = 0;
        loop {
            let context = self.context;
            let (faults, next) = std::mem::replace(&mut self.ids, IdPass::first()).finish();
            content::report_ids(faults, |at| place_of(context, at), &mut self.findings);
            let Some(next) = next else { return Ok(()) };
            self.ids = next;
            rounds += 1;
            within("passes over envelope ids", rounds, options.limits.id_rounds_max)?;
            let parts = std::mem::take(&mut self.parts);
            let work = |index: usize| (parts[index], context.read_ids(parts[index]));
            let take = |(id, (ids, failure)): (PartId, (Ids, Option<VerifyError>))| {
                failure.map_or(Ok(()), Err)?;
                self.see_ids(&ids, false);
                self.advance(id);
                Ok(())
            };
            let result = pool::in_order(parts.len(), options.threads, work, take);
            self.parts = parts;
            result?;
        }
    }
}

/// The line that a part's number and a line's number mean.
fn place_of(context: &PartContext<'_>, (number, line): (u32, u32)) -> Place {
    let all = context.admitted.plan.segments.iter().flat_map(|segment| &segment.envelopes);
    let part = all.copied().nth(number as usize);
    let name = part.map_or("", |part| &*context.admitted.part(part).name);
    Place::Line { part: name.into(), line: line.into() }
}
