//! What was wrong, as evidence: each rejected record and each finding is an envelope of its own.

use recorder_core::identity::ActorId;
use recorder_envelope::adapter::{Anomaly, Policy};
use recorder_envelope::json::ObjectWriter;

use super::{Claimed, Draft, Mapper, Names, names};
use crate::finding::{Code, Findings};

/// Events about what was wrong.
pub(crate) const MISMATCH: &str = "decision_gate.integration.runpack_integrity_mismatch";
pub(crate) const REJECTED: &str = "decision_gate.integration.record_rejected";

/// Rejected records that have an envelope each. Whoever writes the input could ask for one every other byte.
const REJECTED_MAX: u64 = 4096;

/// The code of the one envelope that counts the rest.
pub(crate) const MORE_REJECTED: &str = "more_records_rejected";

impl Mapper<'_> {
    /// Reports a record that gives no envelope. What it held is kept as a keyed digest at most.
    pub(crate) fn reject(&mut self, anomaly: Anomaly, text: &str) {
        let digest = self.redaction.pseudonym(text).map(|digest| names::hex(&digest));
        self.rejected.insert(anomaly.code);
        self.intake.reject(anomaly.clone());
        self.rejected_count += 1;
        if self.rejected_count <= REJECTED_MAX {
            self.evidence(REJECTED, &anomaly, digest.as_deref(), text.len() as u64);
        }
    }

    /// Reports a manifest that cannot be read.
    pub(crate) fn reject_manifest(&mut self, text: &str) {
        let code = Code::ManifestInvalid;
        self.reject(Anomaly::new(code.name(), "manifest", code.meaning()), text);
    }

    /// Counts the rejected records that have no envelope of their own.
    pub(crate) fn more_rejected(&mut self) {
        let more = self.rejected_count.saturating_sub(REJECTED_MAX);
        if more > 0 {
            let detail = "records were rejected beyond those that have an envelope each";
            self.evidence(REJECTED, &Anomaly::new(MORE_REJECTED, "input", detail), None, more);
        }
    }

    /// Reports each code that was found, but for those for which records were rejected by name.
    pub(crate) fn findings(&mut self, findings: &Findings) {
        for (anomaly, places) in findings.anomalies() {
            if self.rejected.contains(anomaly.code) {
                continue;
            }
            self.intake.note(anomaly.clone());
            self.evidence(MISMATCH, &anomaly, None, places);
        }
    }

    /// Records an anomaly. `digest` and `count` are the rejected record's, or the count is that of places.
    fn evidence(&mut self, event_type: &str, anomaly: &Anomaly, digest: Option<&str>, count: u64) {
        if self.intake.policy() == Policy::StrictFail {
            return;
        }
        let claimed = Claimed::of(None, self.last);
        let count = count.to_string();
        let envelope_id = self.id(claimed, |key, run, document| {
            key.string("code", anomaly.code).string("count", &count);
            key.string("detail", &anomaly.detail).string_or_null("digest", digest);
            key.string("document", document).string("kind", event_type);
            key.string("path", &anomaly.path);
            run.write(key);
        });
        let write = |payload: &mut ObjectWriter<'_>| {
            let mut object = payload.object("problem");
            object.string("code", anomaly.code).string("count", &count);
            object.string("detail", &anomaly.detail).string_or_null("hmac", digest);
            object.string("path", &anomaly.path);
            object.finish();
        };
        let payload = self.payload(claimed, write, |_| {});
        let run = self.run.clone();
        let Ok(adapter) = ActorId::new(self.mapping.adapter_id.as_str()) else { return };
        let names = Names::new(&mut self.redaction, None, &adapter, &run, None);
        let draft =
            Draft { event_type: event_type.to_owned(), names, claimed, parents: Vec::new() };
        if let Ok(envelope) = self.envelope(envelope_id, draft, &payload) {
            self.intake.push(envelope);
        }
    }
}
