//! What the redaction takes out, what it leaves, and what it writes in its place.

mod any_bytes;
mod corpus;
mod examples;
mod planted;
mod policies;
mod properties;
mod vectors;
