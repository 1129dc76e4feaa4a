//! Level 3: the records of a runpack agree with its manifest and with each other.
//!
//! Records are read one at a time; what later checks and the mapping need of them is kept as a [`Brief`].

use std::collections::{BTreeMap, BTreeSet};

use super::artifacts::Artifacts;
use super::compare;
use super::manifest::{Manifest, written_digest};
use crate::finding::{Code, Findings};
use crate::json::Node;
use crate::runpack::{Kind, Runpack};
use crate::source_form::Recomputed;
use crate::time::SourceTime;

/// A call as the runpack recorded it: digests only.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// With a dot, such as `scenario.next`.
    pub(crate) method: String,
    pub(crate) request_hash: String,
    pub(crate) response_hash: Option<String>,
    /// Whether the engine answered it with an error.
    pub(crate) failed: bool,
}

/// What is kept of the records.
#[derive(Debug, Default)]
pub(crate) struct Brief {
    /// When each trigger came, by its id.
    pub(crate) trigger_times: BTreeMap<String, Option<SourceTime>>,
    /// The calls; `None` where the runpack has no such log that could be read.
    pub(crate) calls: Option<Vec<Call>>,
}

/// Checks the records of `artifacts`, against `manifest` where there is one.
pub(crate) fn check(
    pack: &Runpack<'_>,
    artifacts: &Artifacts<'_>,
    manifest: Option<&Manifest<'_>>,
    findings: &mut Findings,
) -> Brief {
    let mut checker = Checker { manifest, findings, brief: Brief::default() };
    checker.spec(pack, artifacts);
    let triggers = artifacts.log(Kind::Triggers).is_some();
    for kind in Kind::LOGS {
        let Some(log) = artifacts.log(kind) else { continue };
        if kind == Kind::ToolCalls {
            checker.brief.calls = Some(Vec::with_capacity(log.len()));
        }
        let mut decided = Decided::default();
        for (index, text) in log.iter().enumerate() {
            let path = format!("{}/{index}", kind.path());
            match Node::parse(text) {
                Ok(record) => checker.record(kind, index, &record, &path, &mut decided, triggers),
                Err(_) => Err(Unfit),
            }
            .unwrap_or_else(|Unfit| checker.findings.add(Code::ArtifactInvalid, &path));
        }
    }
    checker.report(artifacts);
    checker.brief
}

/// A record lacks what every record of its kind has.
struct Unfit;

/// The decisions so far.
#[derive(Default)]
struct Decided {
    triggers: BTreeSet<String>,
    ids: BTreeSet<String>,
}

struct Checker<'c, 'm> {
    manifest: Option<&'c Manifest<'m>>,
    findings: &'c mut Findings,
    brief: Brief,
}

impl Checker<'_, '_> {
    fn spec(&mut self, pack: &Runpack<'_>, artifacts: &Artifacts<'_>) {
        let path = Kind::ScenarioSpec.path();
        let (Some(bytes), Some(manifest)) = (pack.files.get(path), self.manifest) else { return };
        let written = Some(manifest.spec_hash.as_str());
        let recomputed = Recomputed::of_bytes(bytes);
        compare(self.findings, Code::SpecHashMismatch, path, &recomputed, written);
        if let Some(spec) = artifacts.object(Kind::ScenarioSpec) {
            self.identity(path, &spec, &["scenario_id", "namespace_id"]);
        }
    }

    fn report(&mut self, artifacts: &Artifacts<'_>) {
        let Some(report) = artifacts.object(Kind::VerifierReport) else { return };
        let errors = report.get("errors").and_then(Node::list);
        let clean = errors.is_some_and(<[_]>::is_empty);
        if report.text_of("status") != Some("pass") || !clean {
            self.findings.add(Code::VerifierReportFailed, Kind::VerifierReport.path());
        }
    }

    fn record(
        &mut self,
        kind: Kind,
        index: usize,
        record: &Node<'_>,
        path: &str,
        decided: &mut Decided,
        triggers: bool,
    ) -> Result<(), Unfit> {
        match kind {
            Kind::Triggers => self.trigger(index, record, path),
            Kind::GateEvals => self.gate_eval(record, path),
            Kind::Decisions => self.decision(index, record, path, decided, triggers),
            Kind::Packets => self.packet(record, path),
            Kind::Submissions => self.submission(record, path),
            Kind::ToolCalls => self.tool_call(record, path),
            Kind::ScenarioSpec | Kind::VerifierReport => Ok(()),
        }
    }

    /// Checks that a record names the run that the manifest names.
    fn identity(&mut self, path: &str, record: &Node<'_>, names: &[&str]) {
        let Some(manifest) = self.manifest else { return };
        let is_same = |name: &&str| record.get(name) == manifest.node.get(name);
        if !names.iter().all(is_same) {
            self.findings.add(Code::IdentityMismatch, path);
        }
    }

    fn sequence(&mut self, index: usize, record: &Node<'_>, path: &str) {
        let expected = index as u64 + 1;
        if record.get("seq").and_then(Node::integer) != Some(expected) {
            self.findings.add(Code::SequenceBroken, path);
        }
    }

    fn trigger(&mut self, index: usize, record: &Node<'_>, path: &str) -> Result<(), Unfit> {
        self.sequence(index, record, path);
        let event = record.get("event").ok_or(Unfit)?;
        let id = event.text_of("trigger_id").ok_or(Unfit)?;
        self.identity(path, event, &["run_id", "tenant_id", "namespace_id"]);
        let time = SourceTime::of(event.get("time"));
        self.brief.trigger_times.entry(id.to_owned()).or_insert(time);
        Ok(())
    }

    fn gate_eval(&mut self, record: &Node<'_>, path: &str) -> Result<(), Unfit> {
        record.text_of("trigger_id").ok_or(Unfit)?;
        record.at(&["evaluation", "gate_id"]).and_then(Node::text).ok_or(Unfit)?;
        let evidence = record.get("evidence").and_then(Node::list).ok_or(Unfit)?;
        for (index, item) in evidence.iter().enumerate() {
            let result = item.get("result").ok_or(Unfit)?;
            check_evidence(result, &format!("{path}/evidence/{index}"), self.findings);
        }
        Ok(())
    }

    fn decision(
        &mut self,
        index: usize,
        record: &Node<'_>,
        path: &str,
        decided: &mut Decided,
        triggers: bool,
    ) -> Result<(), Unfit> {
        self.sequence(index, record, path);
        let trigger_id = record.text_of("trigger_id").ok_or(Unfit)?;
        let decision_id = record.text_of("decision_id").ok_or(Unfit)?;
        record.at(&["outcome", "kind"]).and_then(Node::text).ok_or(Unfit)?;
        let new_trigger = decided.triggers.insert(trigger_id.to_owned());
        if !decided.ids.insert(decision_id.to_owned()) || !new_trigger {
            self.findings.add(Code::DecisionDuplicate, path);
        }
        if triggers && !self.brief.trigger_times.contains_key(trigger_id) {
            self.findings.add(Code::DecisionWithoutTrigger, path);
        }
        Ok(())
    }

    fn packet(&mut self, record: &Node<'_>, path: &str) -> Result<(), Unfit> {
        let envelope = record.get("envelope").filter(|node| node.is_object()).ok_or(Unfit)?;
        let payload = record.get("payload").ok_or(Unfit)?;
        let receipts = record.get("receipts").and_then(Node::list).ok_or(Unfit)?;
        self.identity(path, envelope, &["run_id", "scenario_id"]);
        check_content(payload, envelope.get("content_hash"), path, self.findings);
        let recomputed = Recomputed::of(envelope);
        for receipt in receipts.iter().filter(|item| item.text_of("dispatcher") == Some("mcp")) {
            let written = receipt.get("receipt_hash").and_then(written_digest);
            compare(self.findings, Code::ReceiptHashMismatch, path, &recomputed, written);
        }
        Ok(())
    }

    fn submission(&mut self, record: &Node<'_>, path: &str) -> Result<(), Unfit> {
        record.text_of("submission_id").ok_or(Unfit)?;
        let payload = record.get("payload").ok_or(Unfit)?;
        self.identity(path, record, &["run_id"]);
        check_content(payload, record.get("content_hash"), path, self.findings);
        Ok(())
    }

    fn tool_call(&mut self, record: &Node<'_>, path: &str) -> Result<(), Unfit> {
        record.text_of("call_id").ok_or(Unfit)?;
        let error = record.given("error");
        let call = Call {
            method: record.text_of("method").ok_or(Unfit)?.to_owned(),
            request_hash: record
                .get("request_hash")
                .and_then(written_digest)
                .ok_or(Unfit)?
                .to_owned(),
            response_hash: record.get("response_hash").and_then(written_digest).map(str::to_owned),
            failed: error.is_some(),
        };
        if let Some(error) = error {
            // Of a call that failed, the error itself is what was answered.
            let written = call.response_hash.as_deref();
            let recomputed = Recomputed::of(error);
            compare(self.findings, Code::TranscriptResponseMismatch, path, &recomputed, written);
        }
        self.brief.calls.get_or_insert_default().push(call);
        Ok(())
    }
}

fn check_evidence(result: &Node<'_>, path: &str, findings: &mut Findings) {
    let written =
        result.given("evidence_hash").map(|hash| written_digest(hash).unwrap_or_default());
    let code = Code::EvidenceHashMismatch;
    match result.given("value") {
        Some(value) => match content_digest(value, "value") {
            Some(recomputed) => compare(findings, code, path, &recomputed, written),
            None => findings.add(code, path),
        },
        None if written.is_some() => findings.add(code, path),
        None => {}
    }
}

fn check_content(
    payload: &Node<'_>,
    written: Option<&Node<'_>>,
    path: &str,
    findings: &mut Findings,
) {
    let written = written.and_then(written_digest);
    let code = Code::ContentHashMismatch;
    if payload.text_of("kind") == Some("external") {
        let declared = payload.at(&["content_ref", "content_hash"]).and_then(written_digest);
        if written.is_none() || declared != written {
            findings.add(code, path);
        }
        return;
    }
    match content_digest(payload, "bytes") {
        Some(recomputed) => compare(findings, code, path, &recomputed, written),
        None => findings.add(code, path),
    }
}

/// The digest of a value as the source takes it: the canonical form of JSON, or bytes, which stand under `bytes_name`.
fn content_digest(value: &Node<'_>, bytes_name: &str) -> Option<Recomputed> {
    match value.text_of("kind")? {
        "json" => value.get("value").map(Recomputed::of),
        "bytes" => {
            let items = value.get(bytes_name).or_else(|| value.get("bytes"))?.list()?;
            let bytes: Option<Vec<u8>> = items.iter().map(Node::integer::<u8>).collect();
            Some(Recomputed::of_bytes(&bytes?))
        }
        _ => None,
    }
}
