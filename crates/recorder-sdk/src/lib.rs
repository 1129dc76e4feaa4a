//! Recorder in a process: record events, seal them, hand out bundles, verify bundles.
//!
//! # The paved path
//!
//! Record, seal, bundle, verify:
//!
//! ```
//! use recorder_sdk::prelude::*;
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("recorder.db");
//! # let seed = [42; 32]; // From a key file in real life.
//! let signer = SecretKey::from_seed(&seed)?;
//! let trust_root = recorder_sdk::trust_only(signer.public_key())?;
//! let recorder = RecorderBuilder::new("recorder:checkout")
//!     .store(StoreKind::CreateSqlite(path))
//!     .signer(signer)
//!     .trust_root(trust_root)
//!     .build()?;
//!
//! let event = Event::new("tool.call", "agent:7", "production").payload(json!({"tool": "refund"}));
//! let receipt = recorder.record(event)?;
//! assert_eq!(receipt.position, 0);
//!
//! recorder.seal()?;
//! let bundle = recorder.build_bundle(Selector::everything())?;
//! let report = recorder.verify_bundle(&bundle.bytes)?;
//! assert_eq!(report.verdict(), recorder_sdk::Verdict::Valid);
//! # Ok(())
//! # }
//! ```
//!
//! Receipts are given only after the store committed. Whatever is wrong with an identifier, a setting or a payload
//! is refused before anything is written. What is wrong with a *bundle* is never an error: it is a finding in the
//! report.
//!
//! This crate adds no rules of its own: no clock, no randomness and no hash is here.

mod builder;
mod bundle;
mod error;
mod event;
pub mod prelude;
mod proof;
mod recorder;

pub use ::recorder::clock::{Clock, FixedClock, SystemClock};
pub use ::recorder::ids::{IdSource, SeededIds, SystemIds};
pub use ::recorder::query::Page;
pub use ::recorder::{
    AppendError, AutoSeal, GuardMode, Receipt, RotateError, Rotated, RotationReport, SealError,
    SealReceipt,
};
pub use recorder_core::filter::{Cursor, EnvelopeFilter, EventTypeMatch, PageSize, Range};
pub use recorder_core::hash::KeyId;
pub use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
pub use recorder_core::time::{RecordedAt, UtcTimestamp};
pub use recorder_envelope::attachment::{Attachment, AttachmentError};
pub use recorder_envelope::envelope::SealedEnvelope;
pub use recorder_envelope::selector::{EventTypeSelector, RangeOf, Selector};
pub use recorder_envelope::signing::{PublicKey, SecretKey};
pub use recorder_envelope::trust_root::{
    KeyStatus, TrustRoot, TrustRootError, TrustedKey, TrustedStreams,
};
pub use recorder_store::{Store, StoredCheckpoint};
pub use recorder_verify::{Answers, Finding, Report, Requirements, Verdict, VerifyLimits};

pub use crate::builder::{RecorderBuilder, StoreKind, trust_only};
pub use crate::bundle::{Bundle, SealedBundle};
pub use crate::error::{BundleError, EventError, OpenError, ProveError, QueryError, RecordError};
pub use crate::event::Event;
pub use crate::proof::{InclusionProof, ProofFault};
pub use crate::recorder::{LIST_MAX, MATERIALISED_MAX, Recorder};

/// The page of this library, whose examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk/rust.md")]
struct LibraryPage;
