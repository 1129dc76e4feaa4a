//! Where time comes from. This is the only file of the engine that reads the system's clock.
#![expect(
    clippy::disallowed_methods,
    reason = "SystemClock is the one place where the system's time enters"
)]

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use recorder_core::time::RecordedAt;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> RecordedAt;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> RecordedAt {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanoseconds = i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX);
        // A clock before 1970 or beyond 2262 reads as the nearest moment that evidence can hold.
        RecordedAt::from_nanoseconds(nanoseconds).unwrap_or_else(|_| epoch())
    }
}

/// A clock that moves only when told to, for tests, demonstrations and reproducible output.
#[derive(Debug)]
pub struct FixedClock {
    nanoseconds: AtomicI64,
    step_nanoseconds: i64,
}

impl FixedClock {
    /// Starts at `start` and moves on by `step_nanoseconds` after each reading.
    pub fn new(start: RecordedAt, step_nanoseconds: i64) -> Self {
        Self { nanoseconds: AtomicI64::new(start.nanoseconds()), step_nanoseconds }
    }

    /// Sets the time of the next reading, backwards too.
    pub fn set(&self, now: RecordedAt) {
        self.nanoseconds.store(now.nanoseconds(), Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> RecordedAt {
        let nanoseconds = self.nanoseconds.fetch_add(self.step_nanoseconds, Ordering::SeqCst);
        RecordedAt::from_nanoseconds(nanoseconds).unwrap_or_else(|_| epoch())
    }
}

#[expect(clippy::expect_used, reason = "zero is not negative")]
fn epoch() -> RecordedAt {
    RecordedAt::from_nanoseconds(0).expect("the epoch")
}
