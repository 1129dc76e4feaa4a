//! Bounded, no-follow, link-safe file access: the only crate that opens hostile paths.
//!
//! A path given on a command line or in a configuration may name a FIFO that never answers, a file
//! larger than memory, a link into somebody else's directory or a key that everyone can read. Here
//! each is a typed refusal, decided on the open descriptor and not on the name.
//!
//! Deliberately absent: reading without a bound, watching, and any way to relax a secret's rules.

mod cas;
mod directory;
mod error;
mod open;
mod read;
mod replace;
mod secret;
mod spool;
mod tree;
mod write;

pub use cas::{CasFile, Swap};
pub use directory::{create_private_directory, file_names};
pub use error::FileError;
pub use read::{open_read, read_bounded, read_stdin_bounded};
pub use replace::replace_tree;
pub use secret::read_secret;
pub use spool::temp_spool;
pub use tree::{TreeError, TreeLimits, read_tree};
pub use write::{Access, AtomicFile, Overwrite, replace, write_new, write_secret_new};
