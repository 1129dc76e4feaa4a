//! The port of adapters: what every mapping of foreign records into envelopes shares (`docs/spec/adapters.md`).
//!
//! An adapter is a pure function: foreign bytes in, unsealed envelopes and anomalies out. The same input gives the
//! same ids, times, salts and payloads, so that a retry is a replay and an auditor can redo the mapping.
//!
//! How to write one:
//!
//! 1. Name it once in a [`Mapping`]; write that into every payload with [`Mapping::write`].
//! 2. Make one [`EnvelopeIds`] a call and ask it for the id of each envelope, with the key that the contract names. Take
//!    the salt from [`SaltKey::salt`].
//! 3. Bring every text that comes from outside through a [`Redaction`](crate::redaction::Redaction) before it goes into a
//!    payload, a name of the envelope, or an anomaly.
//! 4. Report each record to one [`Intake`], exactly once: [`accept`](Intake::accept), [`reject`](Intake::reject) or
//!    [`skip`](Intake::skip). Report what is wrong with no record in particular with [`note`](Intake::note).
//! 5. Answer [`Intake::finish`]: an [`Outcome`], or [`Refused`] under [`Policy::StrictFail`].
//!
//! Deliberately absent: a clock, a store, randomness, files, and a trait. Adapters differ in what they take; callers
//! know which one they call.

mod contradiction;
mod identifier;
mod intake;
mod key;
mod key_file;
mod mapping;

pub use contradiction::{Contradiction, ContradictionError};
pub use identifier::EnvelopeIds;
pub use intake::{Anomaly, Event, Intake, Outcome, Policy, PolicyError, Problems, Refused};
pub use key::{KEY_BYTES, RedactionKey, SaltKey, Salts};
pub use key_file::{ADAPTER_KEY_FILE_BYTES_MAX, AdapterKeys};
pub use mapping::Mapping;
pub use recorder_core::identity::AdapterId;
