//! Records of the runpack.

use std::collections::BTreeMap;

use recorder_core::identity::{ActorId, EnvelopeId};
use recorder_envelope::envelope::UnsealedEnvelope;
use recorder_envelope::json::ObjectWriter;

use super::{Claimed, Draft, Mapper, Names, RECORD_TIME_INVALID, Rejected};
use crate::check::artifacts::Artifacts;
use crate::check::manifest::Manifest;
use crate::check::records::Brief;
use crate::finding::{Code, Findings};
use crate::json::Node;
use crate::runpack::Kind;
use crate::source_form;
use crate::time::SourceTime;

/// The kinds of outcome that a decision has.
const OUTCOMES: [&str; 5] = ["advance", "complete", "fail", "hold", "start"];

/// Whether the runpack agrees with itself and with the transcript.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    Consistent,
    Unverified,
}

impl Standing {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Consistent => "consistent",
            Self::Unverified => "unverified",
        }
    }
}

/// The runpack that is being mapped.
pub(crate) struct Pack<'p> {
    pub(crate) artifacts: &'p Artifacts<'p>,
    pub(crate) brief: &'p Brief,
    pub(crate) standing: Standing,
    pub(crate) engine: ActorId,
}

/// The envelopes that later ones follow from.
#[derive(Default)]
struct Followed {
    triggers: BTreeMap<String, EnvelopeId>,
    gates: BTreeMap<String, Vec<EnvelopeId>>,
    decisions: BTreeMap<String, EnvelopeId>,
}

/// What the mapping reads of one record.
struct Essence<'n> {
    event_type: String,
    /// The source's own name of the record.
    own_id: String,
    actor: Option<&'n str>,
    correlation: Option<&'n str>,
    time: Result<Claimed, ()>,
    parents: Vec<EnvelopeId>,
}

impl Mapper<'_> {
    /// Maps every record of the runpack.
    pub(crate) fn records(&mut self, pack: &Pack<'_>) {
        let mut followed = Followed::default();
        for kind in Kind::LOGS {
            for (index, text) in pack.artifacts.log(kind).unwrap_or_default().iter().enumerate() {
                let mapped = Node::parse(text)
                    .map_err(invalid)
                    .and_then(|record| self.record(pack, kind, index, &record, &mut followed));
                self.conclude(&format!("{}/{index}", kind.path()), text, mapped);
            }
        }
        for kind in &pack.artifacts.unreadable {
            let rejected = invalid(Code::ArtifactInvalid.meaning());
            self.conclude(kind.path(), "", Err(rejected));
        }
    }

    fn record(
        &mut self,
        pack: &Pack<'_>,
        kind: Kind,
        index: usize,
        record: &Node<'_>,
        followed: &mut Followed,
    ) -> Result<UnsealedEnvelope, Rejected> {
        let essence = essence(kind, record, pack.brief, followed, self.last)
            .ok_or_else(|| invalid("it lacks what every record of its kind has"))?;
        let claimed = essence.time.map_err(|()| {
            let detail = "its time is none that the source has".to_owned();
            Rejected { code: RECORD_TIME_INVALID, detail }
        })?;
        let body = self.redacted(&["record"], record)?;
        let run = self.run.clone();
        let names = Names::new(
            &mut self.redaction,
            essence.actor,
            &pack.actor_of(kind, run.tenant_id),
            &run,
            essence.correlation,
        );
        let standing = pack.standing.name();
        let envelope_id = self.id(claimed, |key, run, _| {
            key.string("id", &essence.own_id).string("kind", kind.name());
            key.string("position", &index.to_string());
            run.write(key);
            key.string("standing", standing);
        });
        let write = |payload: &mut ObjectWriter<'_>| {
            payload.raw("record", &body).string("record_kind", kind.name());
            payload.string("standing", standing);
        };
        let payload = self.payload(claimed, write, |_| {});
        let Essence { event_type, parents, .. } = essence;
        let draft = Draft { event_type, names, claimed, parents };
        let envelope = self.envelope(envelope_id, draft, &payload)?;
        followed.add(kind, record, envelope_id);
        Ok(envelope)
    }

    /// Maps the manifest, with what was found.
    pub(crate) fn manifest(
        &mut self,
        pack: &Pack<'_>,
        manifest: &Manifest<'_>,
        findings: &Findings,
        level: u8,
        text: &str,
    ) {
        let mapped = self.map_manifest(pack, manifest, findings, level);
        self.conclude("manifest", text, mapped);
    }

    fn map_manifest(
        &mut self,
        pack: &Pack<'_>,
        manifest: &Manifest<'_>,
        findings: &Findings,
        level: u8,
    ) -> Result<UnsealedEnvelope, Rejected> {
        let time = manifest.node.get("generated_at").and_then(|node| SourceTime::of(Some(node)));
        let claimed = Claimed::of(time, self.last);
        let body = self.redacted(&["manifest"], &manifest.node)?;
        let run = self.run.clone();
        let names = Names::new(&mut self.redaction, None, &pack.engine, &run, None);
        let found: Vec<&str> = findings.codes().map(Code::name).collect();
        // Another file, or another set of findings, is another envelope.
        let mut form = Vec::new();
        source_form::write(&manifest.node, &mut form);
        let digest = source_form::hex(&form);
        let codes = found.join(",");
        let doubtful = findings.places(Code::DigestNotRecomputable).to_string();
        let envelope_id = self.id(claimed, |key, run, _| {
            key.string("codes", &codes).string("kind", "manifest");
            key.string("level", &level.to_string()).string("manifest", &digest);
            key.string("not_recomputable", &doubtful);
            run.write(key);
        });
        let standing = pack.standing.name();
        let write = |payload: &mut ObjectWriter<'_>| {
            let mut record = payload.object("record");
            let mut checks = record.object("checks");
            let mut list = checks.array("codes");
            found.iter().for_each(|code| {
                list.string(code);
            });
            list.finish();
            checks.u64("level", u64::from(level)).string("not_recomputable", &doubtful);
            checks.finish();
            record.raw("manifest", &body);
            record.finish();
            payload.string("record_kind", "manifest").string("standing", standing);
        };
        let payload = self.payload(claimed, write, |_| {});
        let event_type = "decision_gate.runpack.exported".to_owned();
        self.envelope(
            envelope_id,
            Draft { event_type, names, claimed, parents: Vec::new() },
            &payload,
        )
    }
}

impl Pack<'_> {
    /// Who acted where a record does not say: the engine, but for submissions, of which only the tenant is known.
    fn actor_of(&self, kind: Kind, tenant_id: Option<u64>) -> ActorId {
        let tenant = tenant_id.filter(|_| kind == Kind::Submissions);
        tenant
            .and_then(|tenant| ActorId::new(format!("dg/tenant-{tenant}")).ok())
            .unwrap_or_else(|| self.engine.clone())
    }
}

impl Followed {
    fn add(&mut self, kind: Kind, record: &Node<'_>, id: EnvelopeId) {
        match kind {
            Kind::Triggers => {
                if let Some(trigger) =
                    record.get("event").and_then(|event| event.text_of("trigger_id"))
                {
                    self.triggers.entry(trigger.to_owned()).or_insert(id);
                }
            }
            Kind::GateEvals => {
                if let Some(trigger) = record.text_of("trigger_id") {
                    self.gates.entry(trigger.to_owned()).or_default().push(id);
                }
            }
            Kind::Decisions => {
                if let Some(decision) = record.text_of("decision_id") {
                    self.decisions.entry(decision.to_owned()).or_insert(id);
                }
            }
            _ => {}
        }
    }

    fn trigger(&self, id: &str) -> Vec<EnvelopeId> {
        self.triggers.get(id).copied().into_iter().collect()
    }
}

/// A record that cannot be read as what it should be.
fn invalid(detail: impl std::fmt::Display) -> Rejected {
    Rejected { code: Code::ArtifactInvalid.name(), detail: detail.to_string() }
}

/// Reads what the mapping needs of a record; `None` where it lacks it.
fn essence<'n>(
    kind: Kind,
    record: &'n Node<'_>,
    brief: &Brief,
    followed: &Followed,
    before: Option<SourceTime>,
) -> Option<Essence<'n>> {
    let time = |node: Option<&Node<'_>>| Claimed::required(node, before);
    let make = |event_type: &str, own_id: &str, time, parents| Essence {
        event_type: format!("decision_gate.{event_type}"),
        own_id: own_id.to_owned(),
        actor: None,
        correlation: record.text_of("correlation_id"),
        time,
        parents,
    };
    Some(match kind {
        Kind::Triggers => {
            let event = record.get("event")?;
            let id = event.text_of("trigger_id")?;
            Essence {
                actor: event.text_of("source_id"),
                correlation: event.text_of("correlation_id"),
                ..make("trigger.received", id, time(event.get("time")), Vec::new())
            }
        }
        Kind::GateEvals => {
            let trigger = record.text_of("trigger_id")?;
            let gate = record.at(&["evaluation", "gate_id"])?.text()?;
            let at = brief.trigger_times.get(trigger).copied().flatten();
            let id = format!("{}:{trigger}{gate}", trigger.len());
            make("gate.evaluated", &id, Ok(Claimed::of(at, before)), followed.trigger(trigger))
        }
        Kind::Decisions => {
            let outcome = record.at(&["outcome", "kind"])?.text()?;
            let outcome = if OUTCOMES.contains(&outcome) { outcome } else { "other" };
            let trigger = record.text_of("trigger_id")?;
            let mut parents = followed.trigger(trigger);
            parents.extend(followed.gates.get(trigger).into_iter().flatten());
            let id = record.text_of("decision_id")?;
            make(&format!("decision.{outcome}"), id, time(record.get("decided_at")), parents)
        }
        Kind::Packets => {
            let envelope = record.get("envelope")?;
            let id = envelope.text_of("packet_id")?;
            let decision = record.text_of("decision_id")?;
            let parents = followed.decisions.get(decision).copied().into_iter().collect();
            Essence {
                correlation: envelope.text_of("correlation_id"),
                ..make("packet.issued", id, time(envelope.get("issued_at")), parents)
            }
        }
        Kind::Submissions => {
            let id = record.text_of("submission_id")?;
            make("submission.recorded", id, time(record.get("submitted_at")), Vec::new())
        }
        Kind::ToolCalls => {
            let id = record.text_of("call_id")?;
            make("tool_call.recorded", id, time(record.get("called_at")), Vec::new())
        }
        Kind::ScenarioSpec | Kind::VerifierReport => return None,
    })
}
