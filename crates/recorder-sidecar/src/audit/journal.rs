//! The stream of the tenant `system`: what is due becomes envelopes, in one request to the engine.
//!
//! What could not be recorded stays counted and is tried again; the log says so. A sidecar that cannot record its start
//! does not start.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use recorder::{Recorder, Submission};
use recorder_core::filter::{EnvelopeFilter, EventTypeMatch};
use recorder_core::hash::sha256;
use recorder_core::identity::TenantId;
use recorder_core::time::RecordedAt;
use recorder_envelope::json::CanonicalPayload;
use recorder_sidecar_api::audit::{Event, WINDOW_SECONDS};
use recorder_sidecar_config::config::LogLevel;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::heads::Heads;
use super::refused::{Draft, Refused};
use super::{AuthFailure, Counts, Reloads, tenant_id};
use crate::ingest::{Database, Observed, stops_the_writer};
use crate::log::Log;
use crate::service::chain;

/// Between two envelopes of one type.
const WINDOW: Duration = Duration::from_secs(WINDOW_SECONDS);

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// How far the clock may go back without being told of.
const CLOCK_TOLERANCE_MS: u64 = 1000;

/// Positions of the stream that are searched at once for the start before.
const SEARCHED: u64 = 1024;

/// What a journal is kept with.
pub(crate) struct Parts {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) database: Option<Database>,
    pub(crate) observed: Arc<Observed>,
    pub(crate) log: Log,
}

/// What is recorded of a start.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    pub(crate) adopt_head: bool,
    /// The settings in effect, without secrets.
    pub(crate) settings: Value,
}

/// What is recorded of a stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped {
    pub(crate) signal: &'static str,
    pub(crate) connections_cut: bool,
}

/// The clock's steps back that no envelope tells of yet.
#[derive(Clone, Copy, Debug, Default)]
struct Steps {
    count: u64,
    behind_ms: u64,
}

/// The keeper of the stream.
pub(crate) struct Journal {
    parts: Parts,
    tenant_id: TenantId,
    counts: Arc<Counts>,
    refused: Refused,
    reloads: Reloads,
    steps: Steps,
    heads: Heads,
    /// What the clock said, and a moment after that.
    clock_seen: (Instant, RecordedAt),
    /// Whether the log says that nothing is recorded any more.
    is_said: bool,
    /// From when on each type may be recorded again.
    due: [Instant; Event::ALL.len()],
}

/// What is about to be recorded.
#[derive(Default)]
struct Batch {
    events: Vec<(Event, Value)>,
    refused: Option<Draft>,
}

impl Journal {
    /// Records the start, and what is otherwise than at the start before.
    ///
    /// # Errors
    ///
    /// Why it could not be recorded, in words.
    pub(crate) fn open(
        parts: Parts,
        started: &Started,
        tenants: impl IntoIterator<Item = TenantId>,
    ) -> Result<Self, String> {
        let (now, wall) = (Instant::now(), parts.recorder.clock().now());
        let mut heads = Heads::default();
        heads.add(tenants);
        let mut due = [now; Event::ALL.len()];
        due[Event::CheckpointsSigned as usize] = now + WINDOW;
        due[Event::SegmentsSealed as usize] = now + WINDOW;
        let journal = Self {
            parts,
            tenant_id: tenant_id(),
            counts: Arc::default(),
            refused: Refused::since(wall),
            reloads: Reloads::default(),
            steps: Steps::default(),
            heads,
            clock_seen: (now, wall),
            is_said: false,
            due,
        };
        let events = journal.start(started, wall)?;
        journal.append(&events).map_err(|error| format!("the start is not recorded: {error}"))?;
        Ok(journal)
    }

    pub(crate) fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    fn start(&self, started: &Started, now: RecordedAt) -> Result<Vec<(Event, Value)>, String> {
        let recorder = &self.parts.recorder;
        let key_id = match recorder.signer() {
            Some(key) => key.public_key().key_id().to_string().into(),
            None => Value::Null,
        };
        let config = config_sha256(&started.settings)?;
        let mut events = vec![(
            Event::Started,
            json!({
                "adopt_head": started.adopt_head,
                "config_sha256": config,
                "durability": recorder.store().durability(),
                "key_id": key_id,
                "version": env!("CARGO_PKG_VERSION"),
            }),
        )];
        if let Some(before) = self.last_start()? {
            if before["config_sha256"] != config.as_str() {
                let before = &before["config_sha256"];
                let payload = json!({ "config_sha256": config, "config_sha256_before": before });
                events.push((Event::ConfigChanged, payload));
            }
            if before["key_id"] != key_id {
                let payload = json!({ "key_id": key_id, "key_id_before": before["key_id"] });
                events.push((Event::SignerChanged, payload));
            }
        }
        let behind_ms = recorder.last_moment().map_or(0, |last| milliseconds(now, last));
        if behind_ms > CLOCK_TOLERANCE_MS {
            let payload = json!({ "behind_ms": behind_ms, "count": 1, "found": "at_start" });
            events.push((Event::ClockWentBack, payload));
        }
        Ok(events)
    }

    /// The payload of the start before this one.
    fn last_start(&self) -> Result<Option<Value>, String> {
        let store = self.parts.recorder.store();
        let stream = self.parts.recorder.stream_of(&self.tenant_id);
        let failed = |error: recorder_store::ReadError| chain(&error);
        let wanted = Event::Started.event_type().parse().map_err(|_| "event type".to_owned())?;
        let wanted = EventTypeMatch::Equals(wanted);
        let filter =
            EnvelopeFilter { event_types: Some([wanted].into()), ..EnvelopeFilter::default() };
        let head = store.head(&stream).map_err(failed)?;
        let mut end = head.map_or(0, |head| head.next_position);
        // From the end, in ever longer pieces: the last start is near it.
        let mut searched = SEARCHED;
        while end > 0 {
            let begin = end.saturating_sub(searched);
            let mut found = None;
            let visit = &mut |envelope: recorder_envelope::envelope::SealedEnvelope| {
                found = envelope.payload;
                ControlFlow::Continue(())
            };
            store.scan(&stream, &filter, begin..end, visit).map_err(failed)?;
            if let Some(salted) = found {
                return Ok(serde_json::from_slice(&salted.payload.into_bytes()).ok());
            }
            (end, searched) = (begin, searched.saturating_mul(2));
        }
        Ok(None)
    }

    /// Notes a request without a valid token.
    pub(super) fn note(&mut self, failure: AuthFailure) {
        self.refused.note(failure);
    }

    /// Notes that files were read again.
    pub(super) fn reloaded(&mut self, reloads: Reloads) {
        self.reloads = self.reloads.and(reloads);
    }

    /// Records what is due.
    pub(super) fn look(&mut self, now: Instant) {
        let wall = self.parts.recorder.clock().now();
        self.look_at_clock(now, wall);
        if self.is_latched() {
            self.say_once_that_nothing_is_recorded();
            return;
        }
        if self.is_due(Event::CheckpointsSigned, now) {
            self.look_at_heads();
        }
        let batch = self.draft(|event, due| now >= due[event as usize]);
        self.record(batch, now, wall);
    }

    /// Records everything that waits, and last that the sidecar stops.
    pub(crate) fn finish(mut self, stopped: Stopped, tenants: impl IntoIterator<Item = TenantId>) {
        let (now, wall) = (Instant::now(), self.parts.recorder.clock().now());
        self.heads.add(tenants);
        self.look_at_heads();
        loop {
            let mut batch = self.draft(|_, _| true);
            let is_last = !self.heads.checkpoints.is_more() && !self.heads.seals.is_more();
            if is_last {
                let Stopped { signal, connections_cut } = stopped;
                let payload = json!({ "connections_cut": connections_cut, "signal": signal });
                batch.events.push((Event::Stopped, payload));
            }
            if !self.record(batch, now, wall) || is_last {
                return;
            }
        }
    }

    /// The writer stays stopped: to try would only repeat this line.
    fn say_once_that_nothing_is_recorded(&mut self) {
        if !std::mem::replace(&mut self.is_said, true) {
            let error = "the writer has stopped, and nothing is recorded any more";
            self.parts.log.write(LogLevel::Error, "audit_failed", &[("error", error.into())]);
        }
    }

    fn look_at_heads(&mut self) {
        let recorder = &self.parts.recorder;
        let stream_of = |tenant_id: &TenantId| recorder.stream_of(tenant_id);
        self.heads.look(&**recorder.store(), &self.parts.observed, stream_of, &self.tenant_id);
    }

    /// Compares how far the clock went with how much time passed.
    fn look_at_clock(&mut self, now: Instant, wall: RecordedAt) {
        let (then, wall_then) = self.clock_seen;
        let passed_ms = now.duration_since(then).as_millis() as u64;
        let behind_ms = milliseconds(wall, wall_then).saturating_add(passed_ms);
        let ahead_ms = milliseconds(wall_then, wall);
        let behind_ms = behind_ms.saturating_sub(ahead_ms);
        if behind_ms > CLOCK_TOLERANCE_MS {
            self.steps.count += 1;
            self.steps.behind_ms = self.steps.behind_ms.max(behind_ms);
        }
        // The time that passes while the thread does not run must not look like a step.
        self.clock_seen = (now.max(Instant::now()), wall);
    }

    fn is_latched(&self) -> bool {
        self.parts.observed.latched.load(Ordering::Acquire)
    }

    fn is_due(&self, event: Event, now: Instant) -> bool {
        now >= self.due[event as usize]
    }

    /// What waits and is due.
    fn draft(&self, is_due: impl Fn(Event, &[Instant]) -> bool) -> Batch {
        let mut batch = Batch::default();
        let Reloads { count, failures, token, tls, control_plane } = self.reloads;
        let reloaded = json!({
            "control_plane": control_plane.name(), "count": count, "failures": failures,
            "tls": tls.name(), "token": token.name(),
        });
        let Steps { count: steps, behind_ms } = self.steps;
        let clock = json!({ "behind_ms": behind_ms, "count": steps, "found": "while_running" });
        let waiting = [
            (Event::CheckpointsSigned, self.heads.checkpoints.draft()),
            (Event::ClockWentBack, (steps > 0).then_some(clock)),
            (Event::Reloaded, (count > 0).then_some(reloaded)),
            (Event::SegmentsSealed, self.heads.seals.draft()),
        ];
        if is_due(Event::AuthFailed, &self.due) {
            batch.refused = self.refused.draft(&self.counts);
            let payload = batch.refused.as_ref().map(|draft| draft.payload.clone());
            batch.events.extend(payload.map(|payload| (Event::AuthFailed, payload)));
        }
        for (event, payload) in waiting {
            if is_due(event, &self.due) {
                batch.events.extend(payload.map(|payload| (event, payload)));
            }
        }
        batch
    }

    /// Records a batch and forgets what it told of; says whether that succeeded.
    fn record(&mut self, batch: Batch, now: Instant, wall: RecordedAt) -> bool {
        if batch.events.is_empty() {
            return true;
        }
        let outcome = self.append(&batch.events);
        for (event, _) in &batch.events {
            self.due[*event as usize] = now + if outcome.is_ok() { WINDOW } else { RETRY };
        }
        if let Err(error) = outcome {
            self.counts.errors.fetch_add(1, Ordering::Relaxed);
            let unrecorded = self.counts.unrecorded();
            let members =
                [("error", error.into()), ("auth_failures_unrecorded", unrecorded.into())];
            self.parts.log.write(LogLevel::Error, "audit_failed", &members);
            return false;
        }
        for (event, _) in &batch.events {
            self.forget(*event, batch.refused.as_ref(), wall);
        }
        true
    }

    fn forget(&mut self, event: Event, refused: Option<&Draft>, wall: RecordedAt) {
        match event {
            Event::AuthFailed => {
                let Some(draft) = refused else { return };
                self.counts.failures_recorded.fetch_add(draft.count, Ordering::Relaxed);
                self.counts.unattributed.fetch_add(draft.unattributed, Ordering::Relaxed);
                let members =
                    [("count", draft.count.into()), ("unattributed", draft.unattributed.into())];
                self.parts.log.write(LogLevel::Warn, "auth_failed", &members);
                self.refused.recorded(draft, wall);
            }
            Event::CheckpointsSigned => self.heads.checkpoints.recorded(),
            Event::SegmentsSealed => self.heads.seals.recorded(),
            Event::ClockWentBack => {
                let members = [("behind_ms", self.steps.behind_ms.into())];
                self.parts.log.write(LogLevel::Warn, "clock_went_back", &members);
                self.steps = Steps::default();
            }
            Event::Reloaded => self.reloads = Reloads::default(),
            Event::ConfigChanged | Event::SignerChanged | Event::Started | Event::Stopped => {}
        }
    }

    /// Records events, all or none.
    fn append(&self, events: &[(Event, Value)]) -> Result<(), String> {
        let Parts { recorder, database, observed, .. } = &self.parts;
        if database.as_ref().is_some_and(|database| !database.is_there()) {
            return Err("the database is not where it was".to_owned());
        }
        let began = Instant::now();
        let submissions = events.iter().map(|(event, payload)| {
            let payload = CanonicalPayload::parse(payload.to_string().as_bytes());
            let payload = payload.map_err(|error| chain(&error))?.into_bytes();
            let prepared = recorder.own_event(event.event_type(), None, payload);
            prepared.map(Submission::from).map_err(|error| chain(&error))
        });
        let submissions = submissions.collect::<Result<Vec<_>, String>>()?;
        match recorder.append_batch(&self.tenant_id, submissions) {
            Ok(receipts) => {
                observed.grew(&self.tenant_id, began, receipts.len() as u64);
                events.iter().for_each(|(event, _)| self.counts.add_envelope(*event));
                Ok(())
            }
            Err(error) => {
                if stops_the_writer(&error) {
                    observed.latched.store(true, Ordering::Release);
                }
                Err(chain(&error))
            }
        }
    }
}

/// SHA-256 over the canonical form of the settings.
fn config_sha256(settings: &Value) -> Result<String, String> {
    let canonical = CanonicalPayload::parse(settings.to_string().as_bytes());
    let canonical = canonical.map_err(|error| chain(&error))?.into_bytes();
    Ok(sha256(&[&canonical]).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whole milliseconds from `earlier` to `later`; 0 where it is not later.
fn milliseconds(earlier: RecordedAt, later: RecordedAt) -> u64 {
    let nanoseconds = later.nanoseconds().saturating_sub(earlier.nanoseconds());
    u64::try_from(nanoseconds / 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use recorder::clock::FixedClock;
    use recorder::ids::SeededIds;
    use recorder::{AutoSeal, RecorderConfig};
    use recorder_store::MemoryStore;

    use super::*;
    use crate::audit::{Credential, FileOutcome, Peer};

    const SECOND: i64 = 1_000_000_000;
    const BEGINNING: i64 = 1_795_305_600 * SECOND;

    struct World {
        clock: Arc<FixedClock>,
        recorder: Arc<Recorder>,
        journal: Journal,
        begin: Instant,
    }

    fn moment(second: i64) -> RecordedAt {
        RecordedAt::from_nanoseconds(BEGINNING + second * SECOND).unwrap()
    }

    fn world() -> World {
        let clock = Arc::new(FixedClock::new(moment(0), 0));
        let mut config = RecorderConfig::new("sidecar:test".parse().unwrap());
        config.auto_seal = AutoSeal::NONE;
        let store = Arc::new(MemoryStore::default());
        let ids = Arc::new(SeededIds::new(1));
        let recorder = Recorder::open(store, config, clock.clone(), ids, None).unwrap();
        let recorder = Arc::new(recorder);
        let observed = Arc::<Observed>::default();
        let parts = Parts {
            recorder: Arc::clone(&recorder),
            database: None,
            observed,
            log: crate::log::tests::log(),
        };
        let started = Started { adopt_head: false, settings: json!({}) };
        let journal = Journal::open(parts, &started, []).unwrap();
        World { clock, recorder, journal, begin: Instant::now() + Duration::from_secs(1) }
    }

    impl World {
        /// Lets the thread look when `second` seconds have passed by every clock.
        fn look_at(&mut self, second: u64) {
            self.clock.set(moment(second as i64 + 1));
            self.journal.look(self.begin + Duration::from_secs(second));
        }

        fn recorded(&self, event: Event) -> Vec<Value> {
            let stream = self.recorder.stream_of(&tenant_id());
            let mut found = Vec::new();
            let visit = &mut |envelope: recorder_envelope::envelope::SealedEnvelope| {
                if envelope.fields.event_type.as_str() == event.event_type() {
                    let payload = envelope.payload.unwrap().payload.into_bytes();
                    found.push(serde_json::from_slice(&payload).unwrap());
                }
                ControlFlow::Continue(())
            };
            let all = EnvelopeFilter::default();
            self.recorder.store().scan(&stream, &all, 0..u64::MAX, visit).unwrap();
            found
        }

        fn fail(&mut self, count: u64) {
            let peer = Peer::Tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            for _ in 0..count {
                let failure =
                    AuthFailure { credential: Credential::Invalid, peer, route: "/v1/config" };
                self.journal.note(failure);
            }
        }
    }

    fn counts(payloads: &[Value]) -> Vec<u64> {
        payloads.iter().map(|payload| payload["count"].as_u64().unwrap()).collect()
    }

    #[test]
    fn at_most_one_envelope_of_a_type_is_recorded_in_a_window() {
        let mut world = world();
        for second in 0..300 {
            world.fail(1000);
            let token = FileOutcome::Unchanged;
            world.journal.reloaded(Reloads { count: 1, token, ..Reloads::default() });
            world.look_at(second);
        }
        assert_eq!(
            counts(&world.recorded(Event::AuthFailed)),
            [1000, 60_000, 60_000, 60_000, 60_000]
        );
        assert_eq!(counts(&world.recorded(Event::Reloaded)), [1, 60, 60, 60, 60]);
        let stopped = Stopped { signal: "SIGTERM", connections_cut: false };
        let World { recorder, journal, .. } = world;
        journal.finish(stopped, []);
        let head = recorder.store().head(&recorder.stream_of(&tenant_id())).unwrap().unwrap();
        assert_eq!(head.next_position, 1 + 5 + 5 + 3, "what was left is recorded at the stop");
    }

    #[test]
    fn a_clock_that_goes_back_is_recorded_and_one_that_leaps_forward_is_not() {
        let mut world = world();
        world.look_at(10);
        // The machine slept for an hour: the time that passes did not.
        world.clock.set(moment(3611));
        world.journal.look(world.begin + Duration::from_secs(11));
        assert!(world.recorded(Event::ClockWentBack).is_empty());
        world.clock.set(moment(3612 - 90));
        world.journal.look(world.begin + Duration::from_secs(12));
        let found = world.recorded(Event::ClockWentBack);
        assert_eq!(found, [json!({ "behind_ms": 90_000, "count": 1, "found": "while_running" })]);
    }
}
