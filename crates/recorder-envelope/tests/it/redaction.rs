//! What the redaction takes out, what it leaves, and what it writes in its place.

mod examples;
