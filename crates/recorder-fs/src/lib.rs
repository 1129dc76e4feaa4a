//! Bounded, no-follow, link-safe file access; the only crate that opens hostile paths.
