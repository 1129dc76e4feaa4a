//! Settings of the engine, checked where they are made.

use std::num::NonZeroU64;

use recorder_core::identity::{LogName, RecorderId};
use recorder_core::limits::SEGMENT_ENVELOPES_MAX;

/// Why a setting was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A count or a duration of zero.
    #[error("auto_seal: {member} must be at least 1")]
    Zero {
        /// The setting.
        member: &'static str,
    },
    /// A count that no verifier accepts.
    #[error(
        "auto_seal: count must be at most {SEGMENT_ENVELOPES_MAX}, the most that a segment may hold"
    )]
    CountTooLarge,
}

/// When the engine seals a segment by itself.
///
/// Whatever is chosen, a segment is sealed at 100,000 envelopes: no verifier reads more.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AutoSeal {
    count: Option<NonZeroU64>,
    duration_seconds: Option<NonZeroU64>,
}

impl AutoSeal {
    /// Only when asked to, or at the bound of a segment.
    pub const NONE: Self = Self { count: None, duration_seconds: None };

    /// After `count` envelopes.
    ///
    /// # Errors
    ///
    /// `Zero`, or `CountTooLarge` beyond 100,000.
    pub fn after_count(count: u64) -> Result<Self, ConfigError> {
        if count > SEGMENT_ENVELOPES_MAX {
            return Err(ConfigError::CountTooLarge);
        }
        let count = NonZeroU64::new(count).ok_or(ConfigError::Zero { member: "count" })?;
        Ok(Self { count: Some(count), duration_seconds: None })
    }

    /// At the first write after `seconds` have passed since the segment was opened.
    ///
    /// # Errors
    ///
    /// `Zero`.
    pub fn after_duration(seconds: u64) -> Result<Self, ConfigError> {
        let seconds =
            NonZeroU64::new(seconds).ok_or(ConfigError::Zero { member: "duration_seconds" })?;
        Ok(Self { count: None, duration_seconds: Some(seconds) })
    }

    /// Whichever comes first.
    ///
    /// # Errors
    ///
    /// As for each alone.
    pub fn combined(count: u64, seconds: u64) -> Result<Self, ConfigError> {
        Ok(Self {
            count: Self::after_count(count)?.count,
            duration_seconds: Self::after_duration(seconds)?.duration_seconds,
        })
    }

    /// Envelopes that a segment may hold.
    pub(crate) fn count_max(&self) -> u64 {
        self.count.map_or(SEGMENT_ENVELOPES_MAX, NonZeroU64::get)
    }

    /// Nanoseconds that a segment may stay open.
    pub(crate) fn open_nanoseconds_max(&self) -> Option<i64> {
        let seconds = i64::try_from(self.duration_seconds?.get()).unwrap_or(i64::MAX);
        Some(seconds.saturating_mul(1_000_000_000))
    }
}

/// Settings of one recorder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecorderConfig {
    /// The recorder's half of its streams' names.
    pub recorder_id: RecorderId,
    /// The first part of its checkpoints' origins.
    pub log_name: LogName,
    /// When segments are sealed.
    pub auto_seal: AutoSeal,
    /// Envelopes at the end of each stream that are re-read and re-derived at start.
    pub startup_verification_depth: u64,
    /// Whether every envelope is signed too, where there is a signer.
    pub sign_envelopes: bool,
    /// How long an envelope may stand outside every checkpoint while others are recorded: the first commit after that ends
    /// in one. `None` leaves it at one with every seal, and at those that are asked for.
    pub checkpoint_interval_ms: Option<NonZeroU64>,
}

impl RecorderConfig {
    /// The default settings for `recorder_id`: sealed and checkpointed only on request, 100 envelopes checked at start.
    #[expect(clippy::expect_used, reason = "the default log name keeps the rule of names")]
    pub fn new(recorder_id: RecorderId) -> Self {
        let log_name = recorder_envelope::checkpoint::LOG_NAME_DEFAULT;
        Self {
            recorder_id,
            log_name: LogName::new(log_name).expect("a log name"),
            auto_seal: AutoSeal::NONE,
            startup_verification_depth: 100,
            sign_envelopes: false,
            checkpoint_interval_ms: None,
        }
    }

    /// Nanoseconds that an envelope may stand outside every checkpoint.
    pub(crate) fn checkpoint_interval_nanoseconds(&self) -> Option<i64> {
        let milliseconds = i64::try_from(self.checkpoint_interval_ms?.get()).unwrap_or(i64::MAX);
        Some(milliseconds.saturating_mul(1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_refused_in_every_policy() {
        assert_eq!(AutoSeal::after_count(0), Err(ConfigError::Zero { member: "count" }));
        assert_eq!(
            AutoSeal::after_duration(0),
            Err(ConfigError::Zero { member: "duration_seconds" })
        );
        assert!(AutoSeal::combined(0, 1).is_err() && AutoSeal::combined(1, 0).is_err());
        assert_eq!(AutoSeal::after_count(100_001), Err(ConfigError::CountTooLarge));
    }

    #[test]
    fn a_segment_is_bounded_whatever_the_policy() {
        assert_eq!(AutoSeal::NONE.count_max(), 100_000);
        assert_eq!(AutoSeal::after_count(7).unwrap().count_max(), 7);
    }
}
