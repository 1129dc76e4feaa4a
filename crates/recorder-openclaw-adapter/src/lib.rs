//! OpenClaw gateway streams and audit ledgers as envelopes: lines in, unsealed envelopes and anomalies out.
//!
//! A [`Stream`] takes the bytes of an input in whatever pieces they come, and holds one line, the state of a bounded number
//! of connections and nothing else. What is lost, repeated, out of order, contradicted or cut short is named: by the
//! gateway's own frame numbers, which have no holes unless a frame of this connection is missing, by what was begun and
//! not ended, and by the ledger where its rows are given. The rules are data as well: [`contract`]. What it is like to
//! use is told in `docs/adapters/openclaw.md`.
//!
//! Deliberately absent: files, sockets, a clock, randomness and a store; and any claim that what the gateway did not send
//! did not happen.

mod connection;
mod contract;
mod frame;
mod ledger;
mod line;
mod map;
mod members;
mod stream;

use recorder_core::identity::StreamId;
use recorder_envelope::adapter::{Outcome, Policy, RedactionKey, Refused, SaltKey};
use recorder_envelope::redaction::{Bounds, RedactionPolicy, RedactionPolicyError, Redactor};

pub use contract::contract;
pub use stream::Stream;

/// The name of this adapter.
pub const ADAPTER_ID: &str = "openclaw";

/// The version of the mapping. A change of any byte that it gives is a new version.
pub const MAPPING_VERSION: &str = "openclaw_recorder_v1";

/// The redaction policy, as data.
pub const REDACTION_POLICY: &[u8] = include_bytes!("policy.json");

/// What one line may ask for: as everywhere, but larger, because a frame carries whole tool results.
pub const BOUNDS: Bounds = Bounds { record_bytes_max: 1 << 20, ..Bounds::DEFAULT };

/// How an input is mapped.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'s> {
    /// What happens to an input of which something is wrong.
    pub policy: Policy,
    /// Where the envelopes go.
    pub stream: &'s StreamId,
    /// Salts payloads.
    pub salt_key: &'s SaltKey,
    /// Takes secrets out; see [`redactor`].
    pub redactor: &'s Redactor,
}

/// Makes a redactor of this adapter's policy. Without a key, what was removed can never be shown, and session keys
/// leave no trace.
///
/// # Errors
///
/// None that a test has not excluded: the policy is part of the program.
pub fn redactor(key: Option<RedactionKey>) -> Result<Redactor, RedactionPolicyError> {
    Ok(Redactor::new(RedactionPolicy::parse(REDACTION_POLICY)?, BOUNDS, key))
}

/// Maps an input that is at hand as a whole. Every line of it counts as one record.
///
/// # Errors
///
/// `Refused` under [`Policy::StrictFail`] names what is wrong.
pub fn map(input: &[u8], settings: &Settings<'_>) -> Result<Outcome, Refused> {
    let mut stream = Stream::new(settings);
    stream.push(input);
    stream.finish()
}
