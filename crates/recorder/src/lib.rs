//! The engine: the only writer, segment lifecycle, queries, checkpoints, the bundle builder.
