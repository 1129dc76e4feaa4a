//! The commands, one file for each noun.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod signer;
