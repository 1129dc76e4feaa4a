//! The writer's side of the head guard: in which order a commit and the guard are written is said in `guard`.

use recorder_core::identity::{ActorId, EnvironmentId, EventType, TenantId, TraceId};
use recorder_envelope::attachment::AttachmentRefs;
use recorder_envelope::checkpoint::{self, SignedCheckpoint};
use recorder_envelope::envelope::{
    EnvelopeFields, ParentIds, PreparedEnvelope, SaltedPayload, UnsealedEnvelope,
};
use recorder_envelope::json::CanonicalPayload;
use recorder_store::Corruption;

use super::{Recorder, Writer};
use crate::error::{AppendError, OpenError, SealError};
use crate::guard::{self, Comparison, GuardError, GuardMode, GuardedHead, HeadError};
use crate::stream::StreamState;

/// What an adoption is recorded as.
pub const HEAD_ADOPTED: &str = "system.recorder.head_adopted";

impl Recorder {
    /// Compares the loaded streams with the guard, and brings the guard up to them.
    pub(super) fn open_guard(self) -> Result<Self, OpenError> {
        let Some(guarding) = &self.guarding else { return Ok(self) };
        let key = self.signer.as_ref().map(|signer| signer.public_key());
        let (log_name, recorder_id) = (&self.config.log_name, &self.config.recorder_id);
        let Comparison { problems, missing, heads, missing_tenants } =
            guard::compare(&*self.store, log_name, recorder_id, &*guarding.guard, key.as_ref())?;
        let missing = missing.into_iter().filter(|_| !guarding.adopt_head);
        if let Some(problem) = problems.into_iter().chain(missing).next() {
            return Err(OpenError::Head(problem));
        }
        let tenants = {
            let mut writer = self.lock_writer();
            writer.guarded = heads;
            let states = writer.streams.values().cloned().collect::<Vec<_>>();
            for state in &states {
                if writer.guarded.contains_key(&self.origin_of(state)) {
                    self.advance_guard(&mut writer, state).map_err(HeadError::Guard)?;
                }
            }
            states.into_iter().map(|state| state.stream.tenant_id).collect::<Vec<_>>()
        };
        let refused = |source| OpenError::Refused { source };
        for tenant_id in &missing_tenants {
            self.adopt(tenant_id).map_err(refused)?;
        }
        for tenant_id in &tenants {
            self.cover(tenant_id).map_err(refused)?;
        }
        Ok(self)
    }

    /// Whether every commit is guarded before its receipts.
    pub(super) fn is_strict(&self) -> bool {
        self.guarding.as_ref().is_some_and(|guarding| guarding.mode == GuardMode::Strict)
    }

    /// Guards the empty head of a stream before its first commit.
    pub(super) fn guard_birth(
        &self,
        writer: &mut Writer,
        state: &StreamState,
        is_first: bool,
    ) -> Result<(), GuardError> {
        let Some(guarding) = &self.guarding else { return Ok(()) };
        let origin = self.origin_of(state);
        if !is_first || writer.guarded.contains_key(&origin) {
            return Ok(());
        }
        let birth = GuardedHead::birth(origin.clone());
        guarding.guard.advance(None, &birth)?;
        writer.guarded.insert(origin, birth);
        Ok(())
    }

    /// Whether the guard must be advanced after a commit: it asks for it, or the stream has no guarded head.
    pub(super) fn must_guard(&self, writer: &Writer, state: &StreamState, asked: bool) -> bool {
        let is_guarded = || writer.guarded.contains_key(&self.origin_of(state));
        self.guarding.is_some() && (asked || !is_guarded())
    }

    /// Whether the stream has a guarded head.
    pub(super) fn is_guarded(&self, writer: &Writer, state: &StreamState) -> bool {
        writer.guarded.contains_key(&self.origin_of(state))
    }

    /// Moves the guard to where `state` stands, which is committed.
    pub(super) fn advance_guard(
        &self,
        writer: &mut Writer,
        state: &StreamState,
    ) -> Result<(), GuardError> {
        let Some(guarding) = &self.guarding else { return Ok(()) };
        let head = self.head_of(state)?;
        let before = writer.guarded.get(head.origin());
        if before != Some(&head) {
            guarding.guard.advance(before, &head)?;
            writer.guarded.insert(head.origin().to_owned(), head);
        }
        Ok(())
    }

    /// What is guarded of `state`: its newest checkpoint; where it has none, all of it, unsigned.
    fn head_of(&self, state: &StreamState) -> Result<GuardedHead, GuardError> {
        let sealed = state.segment_count - u64::from(state.open.is_some());
        let Some(stored) = &state.checkpoint else {
            let (origin, edge) = (self.origin_of(state), &state.edge);
            return Ok(GuardedHead::unsigned(origin, edge.size(), edge.root(), sealed));
        };
        let note = SignedCheckpoint::parse(stored.note.as_bytes());
        let note = note.map_err(|error| GuardError::Malformed {
            place: state.stream.to_string(),
            detail: error.to_string(),
        })?;
        Ok(GuardedHead::signed(note, sealed))
    }

    fn origin_of(&self, state: &StreamState) -> String {
        checkpoint::origin(self.config.log_name.as_str(), &state.stream)
    }

    /// Takes a stream without a guarded head as it is. The log says so before the guard knows of it: a crash
    /// between the two leaves the guard missing, to be adopted again, and never adopted in silence.
    fn adopt(&self, tenant_id: &TenantId) -> Result<(), AppendError> {
        let adopted = self.adoption(tenant_id)?;
        self.append_batch(tenant_id, vec![adopted.into()])?;
        match self.signer {
            Some(_) => self.sign_head(tenant_id),
            None => Ok(()),
        }
    }

    /// The event that records an adoption: what was taken as it is.
    fn adoption(&self, tenant_id: &TenantId) -> Result<PreparedEnvelope, AppendError> {
        let state = self.state(&self.lock_writer(), &self.stream_of(tenant_id))?;
        let checkpoint = state.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.tree_size);
        let payload = format!(
            r#"{{"checkpoint_tree_size":{checkpoint},"reason":"guard_missing","root_hash":"{}","tree_size":{}}}"#,
            state.edge.root(),
            state.edge.size(),
        );
        self.own_event(HEAD_ADOPTED, None, payload.into_bytes())
    }

    /// An event of the recorder's own, with a canonical payload: it is its own actor.
    ///
    /// # Errors
    ///
    /// `Corrupt` where the type or the payload is not what an envelope may hold, and `NoRandomness`.
    pub fn own_event(
        &self,
        event_type: &str,
        trace_id: Option<&str>,
        payload: Vec<u8>,
    ) -> Result<PreparedEnvelope, AppendError> {
        let internal = |detail: String| {
            AppendError::Corrupt(Corruption { place: event_type.to_owned(), detail })
        };
        let payload = CanonicalPayload::from_canonical(payload)
            .map_err(|error| internal(error.to_string()))?;
        let identity = |error: recorder_core::identity::IdentityError| internal(error.to_string());
        let now = self.clock.now();
        let fields = EnvelopeFields {
            envelope_id: self.ids.envelope_id(now)?,
            event_type: EventType::new(event_type).map_err(identity)?,
            actor_id: ActorId::new(self.config.recorder_id.as_str()).map_err(identity)?,
            environment_id: EnvironmentId::new("recorder").map_err(identity)?,
            claimed_time: now.into(),
            trace_id: trace_id.map(TraceId::new).transpose().map_err(identity)?,
            session_id: None,
            parent_ids: ParentIds::default(),
            attachment_refs: AttachmentRefs::default(),
        };
        let payload = SaltedPayload { payload, salt: self.ids.payload_salt()? };
        Ok(UnsealedEnvelope { fields, payload }.prepare())
    }

    /// In strict mode, what was recorded before under a looser one is guarded before it is answered as a replay.
    fn cover(&self, tenant_id: &TenantId) -> Result<(), AppendError> {
        let covered = {
            let state = self.state(&self.lock_writer(), &self.stream_of(tenant_id))?;
            let newest = state.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.tree_size);
            newest == state.next_position
        };
        match self.is_strict() && self.signer.is_some() && !covered {
            true => self.sign_head(tenant_id),
            false => Ok(()),
        }
    }

    fn sign_head(&self, tenant_id: &TenantId) -> Result<(), AppendError> {
        match self.checkpoint(tenant_id) {
            Ok(_) => Ok(()),
            Err(SealError::Append(error)) => Err(error),
            Err(error) => Err(AppendError::Corrupt(Corruption {
                place: self.stream_of(tenant_id).to_string(),
                detail: error.to_string(),
            })),
        }
    }
}
