//! The engine: the only writer, segment lifecycle, queries, checkpoints, bundles, fsck.
//!
//! Data flows one way: prepared envelopes go in at [`Recorder::append_batch`], the only way in, and come out of
//! the store through [`query`], [`bundle`] and [`fsck`]. Time, ids and randomness arrive as arguments.

pub mod bundle;
pub mod clock;
pub mod config;
pub mod engine;
pub mod error;
pub mod fsck;
pub mod guard;
pub mod guard_files;
pub mod ids;
pub mod log;
pub mod query;
pub mod receipt;
mod startup;
mod stream;
pub mod succession;

pub use config::{AutoSeal, RecorderConfig};
pub use engine::{
    Claim, HEAD_ADOPTED, OldKey, Recorder, Request, Retention, Rotated, RotationReport,
    RotationRequest, Submission, is_reserved_event_type, rotate,
};
pub use error::{AppendError, OpenError, RotateError, SealError};
pub use guard::{GuardMode, Guarding, HeadGuard};
pub use receipt::{Receipt, SealReceipt};
