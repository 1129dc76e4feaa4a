//! The Store contract, an in-memory model and the SQLite store.
