//! Decision Gate transcripts and runpacks as envelopes: foreign bytes in, unsealed envelopes and anomalies out.
//!
//! [`map`] takes a document (a fixture, or a transcript in one of the source's own forms), a runpack, or both; checks
//! what came in against itself, level by level; and maps each exchange and each record. The rules are
//! data as well: [`contract`]. What it is like to use is told in `docs/adapters/decision-gate.md`.
//!
//! Deliberately absent: files, a clock, randomness and a store; and any claim beyond agreement: a runpack is not signed,
//! so whoever rewrote all of it, the transcript included, is not found here.

mod check;
mod contract;
mod document;
mod evidence_form;
mod exchange;
mod finding;
mod json;
mod map;
mod run;
mod runpack;
mod source_form;
mod time;

use recorder_core::identity::{ActorId, AdapterId, StreamId};
use recorder_envelope::adapter::{
    Mapping, Outcome, Policy, Problems, RedactionKey, Refused, SaltKey,
};
use recorder_envelope::redaction::{Bounds, RedactionPolicy, RedactionPolicyError, Redactor};

pub use contract::contract;
pub use document::DOCUMENT_BYTES_MAX;
pub use runpack::Runpack;

use check::artifacts::{self, Artifacts};
use check::link::Link;
use check::manifest::{self, Manifest};
use check::records::{self, Brief};
use check::transcript;
use document::Document;
use exchange::Exchange;
use finding::{Code, Findings};
use map::record::{Pack, Standing};
use map::{Claimed, Mapper};
use run::Run;
use time::{ReadTime, SourceTime};

/// The name of this adapter.
pub const ADAPTER_ID: &str = "decision_gate";

/// The version of the mapping. A change of any byte that it gives is a new version.
pub const MAPPING_VERSION: &str = "decision_gate_recorder_v1";

/// The redaction policy, as data.
pub const REDACTION_POLICY: &[u8] = include_bytes!("policy.json");

/// What one record may ask for: as everywhere, but deeper, because scenarios nest their requirements.
pub const BOUNDS: Bounds = Bounds { depth_max: 48, ..Bounds::DEFAULT };

/// What is mapped: a document, a runpack that came beside it, or both.
#[derive(Debug, Default)]
pub struct Input<'a> {
    /// A fixture, or a transcript in one of the source's own forms.
    pub document: Option<&'a [u8]>,
    /// A runpack that the document does not carry itself.
    pub runpack: Option<Runpack<'a>>,
}

/// How it is mapped.
#[derive(Debug)]
pub struct Settings<'a> {
    /// What happens to an input of which something is wrong.
    pub policy: Policy,
    /// Where the envelopes go.
    pub stream: &'a StreamId,
    /// Salts payloads.
    pub salt_key: &'a SaltKey,
    /// Takes secrets out; see [`redactor`].
    pub redactor: &'a Redactor,
    /// Who made the calls that do not say it.
    pub client: ActorId,
    /// Whether the transcript is that of one client among several, so that the runpack may hold calls which it does not.
    pub others_may_call: bool,
}

/// Makes a redactor of this adapter's policy. Without a key, what was removed can never be shown.
///
/// # Errors
///
/// None that a test has not excluded: the policy is part of the program.
pub fn redactor(key: Option<RedactionKey>) -> Result<Redactor, RedactionPolicyError> {
    Ok(Redactor::new(RedactionPolicy::parse(REDACTION_POLICY)?, BOUNDS, key))
}

/// Maps an input.
///
/// Each exchange, each record of the runpack's logs, and the manifest count as one record of the input; so does an
/// artifact or a document that cannot be read at all.
///
/// # Errors
///
/// `Refused` names what is wrong with the document as a whole, under either policy, and under
/// [`Policy::StrictFail`] whatever else is wrong.
pub fn map(input: Input<'_>, settings: &Settings<'_>) -> Result<Outcome, Refused> {
    let mut document = match input.document {
        Some(bytes) => document::read(bytes).map_err(refuse)?,
        None => Document { source: None, exchanges: Vec::new(), runpack: None },
    };
    let carried = document.runpack.take();
    if carried.is_some() && input.runpack.is_some() {
        let detail = "the fixture carries a runpack, and another one came beside it";
        return Err(refuse(recorder_envelope::adapter::Anomaly::new(
            document::INVALID,
            "runpack",
            detail,
        )));
    }
    let runpack = carried.or(input.runpack);
    let has_transcript = input.document.is_some();
    let checked = Checked::new(&document, has_transcript, runpack.as_ref(), settings);
    checked.map(input.document, &document, runpack.as_ref(), settings)
}

fn refuse(anomaly: recorder_envelope::adapter::Anomaly) -> Refused {
    Refused { problems: Problems { named: vec![anomaly], more: 0 }, received: 1 }
}

/// What the checks came to.
struct Checked<'p> {
    findings: Findings,
    manifest: Option<Manifest<'p>>,
    artifacts: Artifacts<'p>,
    brief: Brief,
    /// The run of the transcript.
    run: Option<Run>,
    /// When each exchange is claimed to have happened.
    times: Vec<Option<SourceTime>>,
    level: u8,
}

impl<'p> Checked<'p> {
    fn new(
        document: &Document<'_>,
        has_transcript: bool,
        runpack: Option<&'p Runpack<'_>>,
        settings: &Settings<'_>,
    ) -> Self {
        let mut findings = Findings::default();
        let manifest = runpack.and_then(|pack| read_manifest(pack, &mut findings));
        let mut link = Link::default();
        let (mut run, mut times) = (None, Vec::with_capacity(document.exchanges.len()));
        if has_transcript {
            transcript::check_count(document.exchanges.len(), &mut findings);
        }
        for (index, text) in document.exchanges.iter().enumerate() {
            let exchange = Exchange::read(text).ok();
            times.push(exchange.as_ref().and_then(Exchange::time).and_then(fit));
            let Some(exchange) = exchange else { continue };
            transcript::check(index, &exchange, &mut findings);
            run = run.or_else(|| Run::of_exchange(&exchange));
            if let Some(manifest) = &manifest {
                link.look(index, &exchange, &manifest.node);
            }
        }
        let mut checked = Self {
            findings,
            manifest,
            artifacts: Artifacts::default(),
            brief: Brief::default(),
            run,
            times,
            level: 0,
        };
        if let Some(pack) = runpack {
            checked.check_runpack(pack);
        }
        if let Some(Self { manifest: Some(_), level, .. }) = has_transcript.then_some(&mut checked)
        {
            *level += 1;
            let calls = checked.brief.calls.as_deref();
            link.check(calls, settings.others_may_call, &mut checked.findings);
        }
        checked
    }

    fn check_runpack(&mut self, pack: &'p Runpack<'_>) {
        self.artifacts = artifacts::read(pack, &mut self.findings);
        if let Some(manifest) = &self.manifest {
            manifest::check(manifest, &mut self.findings);
            artifacts::check_bytes(pack, manifest, &mut self.findings);
            self.level = 3;
        }
        let manifest = self.manifest.as_ref();
        self.brief = records::check(pack, &self.artifacts, manifest, &mut self.findings);
    }

    fn map(
        self,
        bytes: Option<&[u8]>,
        document: &Document<'_>,
        runpack: Option<&Runpack<'_>>,
        settings: &Settings<'_>,
    ) -> Result<Outcome, Refused> {
        let run = self.run.clone().unwrap_or_default();
        let mut mapper = Mapper::new(settings, mapping(settings), run, bytes);
        // Before the first time that is known, that time is claimed.
        mapper.last = self.times.iter().flatten().next().copied();
        for (index, (text, own)) in document.exchanges.iter().zip(&self.times).enumerate() {
            let claimed = Claimed::of(*own, mapper.last);
            mapper.exchange(index, text, document.source.as_ref(), claimed);
        }
        if let Some(pack) = runpack {
            self.map_runpack(pack, &mut mapper);
        }
        mapper.more_rejected();
        mapper.findings(&self.findings);
        mapper.intake.finish()
    }

    fn map_runpack(&self, runpack: &Runpack<'_>, mapper: &mut Mapper<'_>) {
        let standing = match self.findings.is_empty() {
            true => Standing::Consistent,
            false => Standing::Unverified,
        };
        if let Some(manifest) = &self.manifest {
            mapper.run = Run::of_manifest(manifest);
            mapper.last = mapper.last.or_else(|| SourceTime::of(manifest.node.get("generated_at")));
        }
        let Ok(engine) = ActorId::new("decision-gate") else { return };
        let pack = Pack { artifacts: &self.artifacts, brief: &self.brief, standing, engine };
        mapper.records(&pack);
        let bytes = runpack.manifest.as_deref().unwrap_or_default();
        let text = String::from_utf8_lossy(bytes);
        match &self.manifest {
            Some(manifest) => {
                mapper.manifest(&pack, manifest, &self.findings, self.level, &text);
            }
            None if self.findings.has(Code::ManifestInvalid) => {
                // The finding names it; here it is counted.
                mapper.reject_manifest(&text);
            }
            None => {}
        }
    }
}

fn fit(time: ReadTime) -> Option<SourceTime> {
    match time {
        ReadTime::Fit(time) => Some(time),
        ReadTime::OutOfRange | ReadTime::Malformed => None,
    }
}

fn read_manifest<'p>(pack: &'p Runpack<'_>, findings: &mut Findings) -> Option<Manifest<'p>> {
    let Some(bytes) = pack.manifest.as_deref() else {
        findings.add(Code::ManifestMissing, "manifest");
        return None;
    };
    let read = manifest::read(bytes);
    if read.is_err() {
        findings.add(Code::ManifestInvalid, "manifest");
    }
    read.ok()
}

#[expect(clippy::expect_used, reason = "a constant that is a name")]
fn mapping(settings: &Settings<'_>) -> Mapping {
    Mapping {
        adapter_id: AdapterId::new(ADAPTER_ID).expect("a name"),
        mapping_version: MAPPING_VERSION.into(),
        redaction_policy_version: settings.redactor.policy().version().into(),
    }
}
