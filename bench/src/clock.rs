//! What a piece of work costs: seconds on the wall and seconds of processor.
//!
//! Processor time is what the gates look at, because it survives a busy machine; time on the wall does not.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Whose processor time counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Processor {
    /// Only the calling thread's: for work that stays there.
    Thread,
    /// All threads': for work that the candidate hands to threads of its own.
    Process,
}

/// What a piece of work cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) processor: Duration,
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Seconds since some moment, for telling how long preparations took.
pub(crate) fn monotonic() -> Duration {
    read(ClockId::Monotonic)
}

/// Processor time of this process so far.
pub(crate) fn process_time() -> Duration {
    read(ClockId::ProcessCPUTime)
}

impl Processor {
    /// Runs `work` and tells what it cost.
    pub(crate) fn cost<T>(
        self,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, Cost)> {
        let clock = match self {
            Self::Thread => ClockId::ThreadCPUTime,
            Self::Process => ClockId::ProcessCPUTime,
        };
        let (wall, processor) = (monotonic(), read(clock));
        let value = work()?;
        let cost = Cost {
            processor: read(clock).saturating_sub(processor),
            wall: monotonic().saturating_sub(wall),
        };
        Ok((value, cost))
    }
}
