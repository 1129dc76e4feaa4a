//! The benchmark of the evidence core.

fn main() {}
