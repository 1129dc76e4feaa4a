//! The name of a mapping: which adapter, which version of its rules, which list of secrets.

use recorder_core::identity::AdapterId;

use crate::json::ObjectWriter;

/// Names a mapping, so that a payload says by which rules it came about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mapping {
    /// The adapter.
    pub adapter_id: AdapterId,
    /// The version of its mapping, such as `recorder_otel_v1`. A change of any byte that the mapping gives is a new version.
    pub mapping_version: Box<str>,
    /// The version of the redaction policy in force.
    pub redaction_policy_version: Box<str>,
}

impl Mapping {
    /// Writes the member `mapping` of a payload: adapter, version, version of the redaction policy.
    pub fn write(&self, payload: &mut ObjectWriter<'_>) {
        let mut object = payload.object("mapping");
        object
            .string("adapter_id", self.adapter_id.as_str())
            .string("mapping_version", &self.mapping_version)
            .string("redaction_policy_version", &self.redaction_policy_version);
        object.finish();
    }
}
