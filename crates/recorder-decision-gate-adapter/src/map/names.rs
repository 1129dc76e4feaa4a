//! The names of envelopes: who acted, where, in which run. All of them are claims of the input.

use recorder_core::hash::encode_hex_into;
use recorder_core::identity::{ActorId, EnvironmentId, SessionId, TraceId};
use recorder_envelope::redaction::Redaction;

use crate::run::Run;
use crate::source_form;

/// The names of one envelope.
pub(crate) struct Names {
    pub(crate) actor_id: ActorId,
    pub(crate) environment_id: EnvironmentId,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) session_id: Option<SessionId>,
}

impl Names {
    /// Names an envelope. The source takes any text for an id; one that is no name of an envelope gives way to its digest,
    /// one that is a secret to its label.
    pub(crate) fn new(
        redaction: &mut Redaction<'_>,
        actor: Option<&str>,
        otherwise: &ActorId,
        run: &Run,
        correlation: Option<&str>,
    ) -> Self {
        let mut name = |text: &str, is_name: fn(&str) -> bool| {
            let text = redaction.label(text);
            if is_name(&text) {
                text.into_owned()
            } else {
                format!("sha256:{}", source_form::hex(text.as_bytes()))
            }
        };
        let actor = actor.map(|text| name(text, |text| ActorId::check(text).is_ok()));
        let trace = run.run_id.as_deref();
        let trace = trace.map(|text| name(text, |text| TraceId::check(text).is_ok()));
        let session = correlation.map(|text| name(text, |text| SessionId::check(text).is_ok()));
        Self {
            actor_id: actor
                .and_then(|text| ActorId::new(text).ok())
                .unwrap_or_else(|| otherwise.clone()),
            environment_id: environment(run),
            trace_id: trace.and_then(|text| TraceId::new(text).ok()),
            session_id: session.and_then(|text| SessionId::new(text).ok()),
        }
    }
}

#[expect(clippy::expect_used, reason = "letters and digits are a name")]
fn environment(run: &Run) -> EnvironmentId {
    let text = match (run.tenant_id, run.namespace_id) {
        (Some(tenant), Some(namespace)) => format!("dg/tenant-{tenant}/ns-{namespace}"),
        (Some(tenant), None) => format!("dg/tenant-{tenant}"),
        (None, _) => "dg".to_owned(),
    };
    EnvironmentId::new(text).expect("a name")
}

/// Lower-case hex.
pub(super) fn hex(digest: &[u8; 32]) -> String {
    let mut text = [0; 64];
    encode_hex_into(digest, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
