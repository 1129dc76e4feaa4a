//! Values of the evidence format: identity, hash, signature, time, filter, limits; and the words for them.
//!
//! Every type here is parsed at its door: a constructor and serde go through the same check, so an
//! invalid value cannot be held. There is no IO, no clock and no randomness in this crate.

pub mod filter;
pub mod hash;
pub mod idempotency;
pub mod identity;
pub mod limits;
pub mod signature;
pub mod time;
pub mod words;
