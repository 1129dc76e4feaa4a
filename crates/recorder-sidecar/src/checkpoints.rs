//! What has to happen though nobody writes: checkpoints once an interval, and seals whose time has come.
//!
//! What was recorded since the last checkpoint is covered by no signature: the interval is the most that a thief of the
//! disk can take back. A stream that could not be signed is tried again.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use recorder::{Recorder, SealError};
use recorder_core::identity::TenantId;
use recorder_sidecar_config::config::LogLevel;
use tokio::time::Instant;

use crate::ingest::{Observed, stops_the_writer};
use crate::log::Log;

/// How often it is looked whether a segment has to be sealed.
const TICK: Duration = Duration::from_secs(1);

/// The thread that signs and seals.
pub(crate) struct Checkpoints {
    stop: Mutex<Option<SyncSender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Checkpoints {
    /// Starts the thread. Without an interval it signs nothing.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn start(
        recorder: Arc<Recorder>,
        observed: Arc<Observed>,
        interval: Option<Duration>,
        log: Log,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel::<()>(0);
        let keeper = Keeper { recorder, observed, log };
        let run = move || {
            let mut next = interval.map(|interval| Instant::now() + interval);
            let wait = |next: Option<Instant>| {
                let left = next.map(|next| next.saturating_duration_since(Instant::now()));
                left.map_or(TICK, |left| left.min(TICK))
            };
            while stopped.recv_timeout(wait(next)) == Err(RecvTimeoutError::Timeout) {
                keeper.seal_due();
                if let (Some(due), Some(interval)) = (next, interval)
                    && Instant::now() >= due
                {
                    keeper.sign_all();
                    next = Some(Instant::now() + interval);
                }
            }
        };
        let thread = std::thread::Builder::new().name("sidecar-signer".to_owned()).spawn(run)?;
        Ok(Self { stop: Mutex::new(Some(stop)), thread: Mutex::new(Some(thread)) })
    }

    /// Whether the thread has ended though nobody stopped it, and nobody signs and seals any more.
    pub(crate) fn has_failed(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Stops the thread and waits for it.
    pub(crate) fn stop(&self) {
        // Taken before it is stopped: its end is no failure then.
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = thread {
            // A panic there has been reported.
            let _ = thread.join();
        }
    }
}

struct Keeper {
    recorder: Arc<Recorder>,
    observed: Arc<Observed>,
    log: Log,
}

impl Keeper {
    fn sign_all(&self) {
        for tenant_id in self.observed.begin_signing() {
            let outcome = self.recorder.checkpoint(&tenant_id);
            let is_covered = matches!(outcome, Ok(_) | Err(SealError::NothingRecorded));
            self.observed.signed(&tenant_id, is_covered);
            if let Err(error) = outcome
                && !is_covered
            {
                self.failed("checkpoint_failed", &tenant_id, &error);
            }
        }
    }

    fn seal_due(&self) {
        for (tenant_id, outcome) in self.recorder.seal_due_segments() {
            if let Err(error) = outcome {
                self.failed("seal_failed", &tenant_id, &error);
            }
            self.observed.moved(tenant_id);
        }
    }

    fn failed(&self, event: &str, tenant_id: &TenantId, error: &SealError) {
        if let SealError::Append(append) = error
            && stops_the_writer(append)
        {
            self.observed.latched.store(true, std::sync::atomic::Ordering::Release);
        }
        let members =
            [("tenant_id", tenant_id.as_str().into()), ("error", error.to_string().into())];
        self.log.write(LogLevel::Error, event, &members);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use recorder::RecorderConfig;
    use recorder::clock::{Clock, SystemClock};
    use recorder::ids::SeededIds;
    use recorder_core::time::RecordedAt;
    use recorder_store::MemoryStore;

    use super::*;
    use crate::ingest::tests::request;

    /// Runs until it is broken.
    #[derive(Default)]
    struct Breakable(AtomicBool);

    impl Clock for Breakable {
        fn now(&self) -> RecordedAt {
            assert!(!self.0.load(Ordering::Acquire), "the clock is broken");
            SystemClock.now()
        }
    }

    #[test]
    fn a_thread_that_panicked_says_that_nobody_signs_any_more() {
        let clock = Arc::new(Breakable::default());
        let config = RecorderConfig::new("sidecar:test".parse().unwrap());
        let (store, ids) = (Arc::new(MemoryStore::default()), Arc::new(SeededIds::new(1)));
        let recorder = Recorder::open(store, config, Arc::clone(&clock) as _, ids, None).unwrap();
        recorder.append_requests(vec![request()]).remove(0).unwrap();
        let interval = Some(Duration::from_millis(1));
        let checkpoints = Checkpoints::start(
            Arc::new(recorder),
            Arc::default(),
            interval,
            crate::log::tests::log(),
        );
        let checkpoints = checkpoints.unwrap();
        assert!(!checkpoints.has_failed());
        clock.0.store(true, Ordering::Release);
        let until = Instant::now() + Duration::from_secs(30);
        while !checkpoints.has_failed() && Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(checkpoints.has_failed());
        let thread = checkpoints.thread.lock().unwrap().take().unwrap();
        assert!(thread.join().is_err());
    }
}
