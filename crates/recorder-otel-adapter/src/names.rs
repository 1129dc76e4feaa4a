//! Names that every envelope of the mapping shares, made once.

use recorder_core::identity::{AdapterId, EventType, IdentityError};

use crate::record::{Identity, Severity};

/// The event type of spans.
pub(crate) const SPAN_EVENT_TYPE: &str = "otel.span";

/// The event type of what was lost or is wrong: an envelope that stands for no record.
pub const ANOMALY_EVENT_TYPE: &str = "otel.anomaly";

/// The names.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) adapter_id: AdapterId,
    pub(crate) anomaly: EventType,
    span: EventType,
    logs: [EventType; Severity::ALL.len()],
}

impl Names {
    pub(crate) fn new() -> Result<Self, IdentityError> {
        let [unspecified, trace, debug, info, warn, error, fatal] = Severity::ALL;
        let log = |(_, name): (Severity, &'static str)| EventType::new(name);
        Ok(Self {
            adapter_id: AdapterId::new(crate::ADAPTER_ID)?,
            anomaly: EventType::new(ANOMALY_EVENT_TYPE)?,
            span: EventType::new(SPAN_EVENT_TYPE)?,
            logs: [
                log(unspecified)?,
                log(trace)?,
                log(debug)?,
                log(info)?,
                log(warn)?,
                log(error)?,
                log(fatal)?,
            ],
        })
    }

    /// The event type of a record.
    pub(crate) fn event_type(&self, identity: Identity) -> &EventType {
        match identity {
            Identity::Span { .. } => &self.span,
            Identity::Log { severity } => &self.logs[severity as usize],
        }
    }
}
