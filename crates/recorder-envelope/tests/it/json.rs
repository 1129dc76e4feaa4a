//! Canonical JSON against its vectors, its oracles and itself.

mod corpus;
mod features;
mod numbers;
mod properties;
mod trees;
mod vectors;
