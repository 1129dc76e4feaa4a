//! Signs a checkpoint over each stream that grew, once an interval.
//!
//! What was recorded since is covered by no signature yet: the interval is the most that a thief of the disk can take
//! back. A stream that could not be signed is tried again.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use recorder::{Recorder, SealError};
use recorder_sidecar_config::config::LogLevel;

use crate::ingest::{Observed, stops_the_writer};
use crate::log::Log;

/// The thread that signs.
pub(crate) struct Checkpoints {
    stop: Mutex<Option<SyncSender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Checkpoints {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn start(
        recorder: Arc<Recorder>,
        observed: Arc<Observed>,
        interval: Duration,
        log: Log,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel::<()>(0);
        let run = move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                sign_all(&recorder, &observed, log);
            }
        };
        let thread =
            std::thread::Builder::new().name("recorder-sidecar-signer".to_owned()).spawn(run)?;
        Ok(Self { stop: Mutex::new(Some(stop)), thread: Mutex::new(Some(thread)) })
    }

    /// Stops the thread and waits for it.
    pub(crate) fn stop(&self) {
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic there has been reported.
            let _ = thread.join();
        }
    }
}

fn sign_all(recorder: &Recorder, observed: &Observed, log: Log) {
    for (tenant_id, since) in observed.take_dirty() {
        match recorder.checkpoint(&tenant_id) {
            Ok(_) | Err(SealError::NothingRecorded) => {}
            Err(error) => {
                if let SealError::Append(append) = &error
                    && stops_the_writer(append)
                {
                    observed.latched.store(true, std::sync::atomic::Ordering::Release);
                }
                let members =
                    [("tenant_id", tenant_id.as_str().into()), ("error", error.to_string().into())];
                log.write(LogLevel::Error, "checkpoint_failed", &members);
                observed.add_dirty(tenant_id, since);
            }
        }
    }
}
