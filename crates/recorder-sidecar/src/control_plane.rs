//! The control plane: asked before a request is worked on, told before and after, and believed in nothing else.
//!
//! Whatever is not a clear *yes* is a *no*: no answer, an odd answer, an answer to another question, a hook that was not
//! taken. It never sees a payload, an envelope or a receipt, and what it says changes no byte of what is recorded.
//! `docs/control-plane.md` is the contract; without a control plane, nothing here runs.

mod caller;
mod reach;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderValue};
use recorder_core::identity::{RecorderId, TenantId};
use recorder_sidecar_api::control_plane::{
    ADMISSION_PATH, Admission, AdmissionRequest, Boundary, DenialReason, HOOKS_PATH, Hook, Outcome,
    Subject,
};
use recorder_sidecar_api::header::WRITER_LEASE;
use recorder_sidecar_api::identity::Identity;
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_api::route::Operation;
use recorder_sidecar_config::config::{Config, EnterpriseSettings, LogLevel};
use recorder_sidecar_config::secret::Token;
use recorder_sidecar_config::tls;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub(crate) use self::caller::CALLS_MAX;
use self::caller::{CallError, Caller};
use crate::answer::Answer;
use crate::log::Log;
use crate::refusal::Refusal;

/// How long the control plane may take to answer a probe.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// How long its answer to a probe counts: probes need no token, and must not be a way to flood it.
const HEALTH_KEPT: Duration = Duration::from_millis(250);

/// The way to the control plane.
pub(crate) struct ControlPlane {
    caller: RwLock<Arc<Caller>>,
    recorder_id: RecorderId,
    requires_writer_lease: bool,
    timeout: Duration,
    health_path: String,
    health: Mutex<Option<(Instant, bool)>>,
    log: Log,
}

impl ControlPlane {
    /// As the settings say; none where they name none. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// In words, what cannot be used.
    pub(crate) fn new(config: &Config, log: Log) -> Result<Option<Arc<Self>>, String> {
        let Some(settings) = config.enterprise() else { return Ok(None) };
        let caller = Caller::new(&settings.url, &settings.token.token, settings.tls.as_ref())?;
        Ok(Some(Arc::new(Self {
            caller: RwLock::new(Arc::new(caller)),
            recorder_id: config.recorder().recorder_id.clone(),
            requires_writer_lease: settings.requires_writer_lease,
            timeout: Duration::from_millis(config.limits().request_timeout_ms),
            health_path: config.probes().enterprise_health_path.clone(),
            health: Mutex::new(None),
            log,
        })))
    }

    /// Reads the token and the trusted certificates again. What is under way ends as it began.
    ///
    /// # Errors
    ///
    /// Which of them cannot be read, in words; then nothing changes.
    pub(crate) fn reload(&self, settings: &EnterpriseSettings) -> Result<(), String> {
        let token = Token::read(&settings.token.path).map_err(|error| error.to_string())?;
        let mut tls = settings.tls.clone();
        if let Some(tls) = &mut tls {
            tls.client = tls::load_client(&tls.files).map_err(|error| error.to_string())?;
        }
        let caller = Caller::new(&settings.url, &token, tls.as_ref())?;
        *self.caller.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(caller);
        Ok(())
    }

    fn caller(&self) -> Arc<Caller> {
        Arc::clone(&self.caller.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it answers its health path. One question at a time is put, and its answer counts for a moment.
    pub(crate) async fn is_healthy(self: &Arc<Self>) -> bool {
        let plane = Arc::clone(self);
        // On its own, so that a probe that goes away does not leave the question to be put again.
        let asked = tokio::spawn(async move {
            let mut last = plane.health.lock().await;
            if let Some((at, is_healthy)) = *last
                && at.elapsed() < HEALTH_KEPT
            {
                return is_healthy;
            }
            let deadline = Instant::now() + HEALTH_TIMEOUT;
            let is_healthy = plane.caller().probe(&plane.health_path, deadline).await.is_ok();
            *last = Some((Instant::now(), is_healthy));
            is_healthy
        });
        asked.await.unwrap_or(false)
    }

    /// Reads who asks for what. Nobody is asked yet.
    ///
    /// # Errors
    ///
    /// `identity_invalid`, and `writer_lease_required` where the lease is required and not asserted.
    pub(crate) fn govern(
        self: &Arc<Self>,
        operation: Operation,
        server_correlation_id: &str,
        headers: &HeaderMap,
    ) -> Result<Governed, Refusal> {
        let value = |name: &'static str| headers.get(name).map(HeaderValue::as_bytes);
        let identity = Identity::read(value)
            .map_err(|error| Refusal::new(Code::IdentityInvalid, error.to_string()))?;
        let is_mutating = operation.route().is_mutating;
        let needs_lease = self.requires_writer_lease && is_mutating;
        let asserts_writer_lease = value(WRITER_LEASE) == Some(b"true");
        if needs_lease && !asserts_writer_lease {
            let detail = format!("the header {WRITER_LEASE} must be there and say true");
            return Err(Refusal::new(Code::WriterLeaseRequired, detail));
        }
        let body_bytes = value("content-length").and_then(|text| std::str::from_utf8(text).ok());
        Ok(Governed {
            plane: Arc::clone(self),
            operation,
            subject: Subject {
                server_correlation_id: server_correlation_id.to_owned(),
                recorder_id: self.recorder_id.clone(),
                operation: operation.name(),
                is_mutating,
                identity,
            },
            body_bytes: body_bytes.and_then(|text| text.parse().ok()),
            asserts_writer_lease,
            needs_lease,
        })
    }

    fn report(&self, event: &str, subject: &Subject, error: &CallError) {
        let members = [
            ("operation", subject.operation.into()),
            ("error", error.detail().into()),
            ("server_correlation_id", subject.server_correlation_id.as_str().into()),
        ];
        self.log.write(LogLevel::Warn, event, &members);
    }
}

/// Whether what was decided lets a request through.
fn check(admission: Admission, needs_lease: bool) -> Result<(), Refusal> {
    match admission {
        Admission::Allowed { holds_writer_lease } if needs_lease && !holds_writer_lease => {
            let detail =
                "the control plane does not confirm that the sender holds the writer lease";
            Err(Refusal::new(Code::WriterLeaseRequired, detail))
        }
        Admission::Allowed { .. } => Ok(()),
        Admission::Denied { reason, detail } => {
            let reason = match reason {
                DenialReason::Policy => "policy",
                DenialReason::Quota => "quota",
            };
            let detail = detail.map_or_else(String::new, |detail| format!(": {detail}"));
            Err(Refusal::new(Code::ControlPlaneDenied, format!("{reason}{detail}")))
        }
    }
}

/// A request that the control plane is asked for, and told of.
pub(crate) struct Governed {
    plane: Arc<ControlPlane>,
    operation: Operation,
    subject: Subject,
    body_bytes: Option<u64>,
    asserts_writer_lease: bool,
    needs_lease: bool,
}

impl Governed {
    /// The one tenant that it may touch.
    pub(crate) fn tenant_id(&self) -> &TenantId {
        self.subject.identity.tenant_id()
    }

    /// Asks for it, tells of it, works on it, tells what became of it: to the end, whoever is still there to hear.
    ///
    /// # Errors
    ///
    /// Why it is not admitted, or what the work refuses; `hook_export_failed` where it was done and could not be told.
    pub(crate) async fn through(
        self,
        work: impl Future<Output = Result<Answer, Refusal>> + Send + 'static,
    ) -> Result<Answer, Refusal> {
        // A task of its own: a sender that goes away would take what is told of its request along.
        let done = tokio::spawn(async move {
            let deadline = Instant::now() + self.plane.timeout;
            self.admit(deadline).await?;
            self.tell(Boundary::Admission, Outcome::Admitted, None, deadline).await?;
            self.conclude(completed(work).await).await
        });
        done.await?
    }

    async fn admit(&self, deadline: Instant) -> Result<(), Refusal> {
        let (subject, plane) = (&self.subject, &self.plane);
        let question = AdmissionRequest {
            subject,
            body_bytes: self.body_bytes,
            asserts_writer_lease: self.asserts_writer_lease,
        };
        // Texts, integers and booleans are always serialised.
        let body = serde_json::to_vec(&question).unwrap_or_default();
        let answer = plane.caller().ask(ADMISSION_PATH, body, deadline).await;
        let admission =
            answer.and_then(|it| Ok(Admission::parse(&it, &subject.server_correlation_id)?));
        let admission = admission.map_err(|error| {
            plane.report("control_plane_failed", subject, &error);
            let detail = format!("the control plane was asked for admission: {error}");
            Refusal::new(Code::ControlPlaneUnavailable, detail)
        });
        check(admission?, self.needs_lease)
    }

    async fn conclude(self, outcome: Result<Answer, Refusal>) -> Result<Answer, Refusal> {
        // What is recorded is on the disk, whether or not the control plane hears of it. Whoever is answered
        // `hook_export_failed` repeats the request under its key and gets the first receipt.
        let deadline = Instant::now() + self.plane.timeout;
        let told = told_of(&outcome);
        match self.tell(Boundary::Result, told, Some(&outcome), deadline).await {
            Ok(()) => outcome,
            // A refusal stays the refusal that it is.
            Err(untold) => outcome.and(Err(untold)),
        }
    }

    async fn tell(
        &self,
        boundary: Boundary,
        outcome: Outcome,
        result: Option<&Result<Answer, Refusal>>,
        deadline: Instant,
    ) -> Result<(), Refusal> {
        let status = result.map(|result| match result {
            Ok(answer) => answer.status,
            Err(refusal) => self.operation.status_of(refusal.code),
        });
        let hook = Hook {
            subject: &self.subject,
            boundary,
            outcome,
            status,
            code: result.and_then(|result| Some(result.as_ref().err()?.code.code())),
            is_replay: result.is_some_and(|result| result.as_ref().is_ok_and(|it| it.is_replay)),
        };
        let body = serde_json::to_vec(&hook).unwrap_or_default();
        let answer = self.plane.caller().ask(HOOKS_PATH, body, deadline).await;
        let taken = answer.and_then(|answer| Ok(hook.check_answer(&answer)?));
        taken.map_err(|error| {
            self.plane.report("hook_export_failed", &self.subject, &error);
            let (moment, recorded) = match boundary {
                Boundary::Admission => ("admission", "nothing was done"),
                Boundary::Result => ("result", "the request was done; repeat it as it was"),
            };
            let detail = format!("the control plane was told of the {moment}: {error}; {recorded}");
            Refusal::new(Code::HookExportFailed, detail)
        })
    }
}

/// Works to the end. A panic is one too, of which the control plane hears like of any other.
async fn completed(
    work: impl Future<Output = Result<Answer, Refusal>> + Send + 'static,
) -> Result<Answer, Refusal> {
    tokio::spawn(work).await?
}

/// What a control plane is told of an outcome: after an error of ours, nobody knows what was recorded before it.
fn told_of(outcome: &Result<Answer, Refusal>) -> Outcome {
    match outcome.as_ref().map_err(|refusal| refusal.code) {
        Ok(_) => Outcome::Succeeded,
        Err(Code::CommitOutcomeUnknown | Code::InternalError) => Outcome::Unknown,
        Err(_) => Outcome::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_ends_in_an_outcome_that_nobody_knows_and_says_nothing_of_itself() {
        let outcome = completed(async { panic!("payload-text") }).await;
        assert_eq!(told_of(&outcome), Outcome::Unknown);
        let refusal = outcome.err().unwrap();
        assert_eq!(refusal.code, Code::InternalError);
        assert!(!refusal.detail.contains("payload-text"), "{}", refusal.detail);
        let refused = Err(Refusal::new(Code::EnvelopeInvalid, ""));
        assert_eq!(told_of(&refused), Outcome::Refused);
    }

    fn code(admission: Admission, needs_lease: bool) -> Option<(Code, String)> {
        check(admission, needs_lease).err().map(|refusal| (refusal.code, refusal.detail))
    }

    #[test]
    fn only_an_admission_with_the_lease_where_it_is_needed_lets_a_request_through() {
        let allowed = |holds_writer_lease| Admission::Allowed { holds_writer_lease };
        assert_eq!(code(allowed(false), false), None);
        assert_eq!(code(allowed(true), true), None);
        assert_eq!(code(allowed(false), true).unwrap().0, Code::WriterLeaseRequired);
        let denied = |reason, detail: Option<&str>| Admission::Denied {
            reason,
            detail: detail.map(str::to_owned),
        };
        for needs_lease in [false, true] {
            assert_eq!(
                code(denied(DenialReason::Policy, None), needs_lease),
                Some((Code::ControlPlaneDenied, "policy".to_owned()))
            );
            assert_eq!(
                code(denied(DenialReason::Quota, Some("10 of 10 a day")), needs_lease),
                Some((Code::ControlPlaneDenied, "quota: 10 of 10 a day".to_owned()))
            );
        }
    }
}
