//! Canonical JSON against its vectors, its oracles and itself.
