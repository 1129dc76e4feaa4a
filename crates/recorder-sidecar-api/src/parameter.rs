//! What stands in the query of a request, for the routes that take no body.

use crate::route::Operation;

/// What a parameter's value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParameterKind {
    /// The tenant half of a stream.
    TenantId,
    /// The recorder half of a stream.
    RecorderId,
    /// Entries on a page.
    PageSize,
    /// Where the page before ended.
    Cursor,
}

/// One parameter. It may stand once at most; one that is not listed is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What its value is.
    pub kind: ParameterKind,
    /// Whether it must be there.
    pub is_required: bool,
    /// What it does, in one sentence.
    pub purpose: &'static str,
}

const LIMIT: Parameter = Parameter {
    name: "limit",
    kind: ParameterKind::PageSize,
    is_required: false,
    purpose: "Entries on the page, 1 to 10000.",
};

const CURSOR: Parameter = Parameter {
    name: "cursor",
    kind: ParameterKind::Cursor,
    is_required: false,
    purpose: "Where the page before ended.",
};

const TENANT: Parameter = Parameter {
    name: "tenant_id",
    kind: ParameterKind::TenantId,
    is_required: true,
    purpose: "The tenant half of the stream.",
};

const ANY_TENANT: Parameter = Parameter {
    is_required: false,
    purpose: "The tenant half of the stream; without it, every stream's.",
    ..TENANT
};

const RECORDER: Parameter = Parameter {
    name: "recorder_id",
    kind: ParameterKind::RecorderId,
    is_required: false,
    purpose: "The recorder half of the stream, which must be the configured one; without it, that.",
};

impl Operation {
    /// What may stand in its query.
    pub const fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::ListSegments | Self::ActiveSegments => &[ANY_TENANT, LIMIT, CURSOR],
            Self::Checkpoint => &[TENANT, RECORDER],
            Self::Health
            | Self::Startup
            | Self::Ready
            | Self::RecordEnvelope
            | Self::RecordWithAttachments
            | Self::RecordBatch
            | Self::QueryEnvelopes
            | Self::ProveInclusion
            | Self::ProveConsistency
            | Self::BuildBundle
            | Self::VerifyBundle
            | Self::InspectBundle
            | Self::Config
            | Self::IngestOtel
            | Self::ExportTraces
            | Self::ExportLogs
            | Self::Metrics
            | Self::OpenApi => &[],
        }
    }
}
