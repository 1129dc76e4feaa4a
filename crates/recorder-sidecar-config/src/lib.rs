//! The settings of the sidecar: TOML as written → settings that hold, or every reason why they do not.
//!
//! One table, [`key::Key`], says of each setting what it is called, what it may be, what it is by default and what it
//! is for. Reading, checking, the JSON Schema, the annotated example, the compatibility table and the documentation
//! all follow from it, so that they cannot drift apart.
//!
//! Deliberately absent: layers of files, interpolation, settings from the environment, and anything that listens.

pub mod address;
pub mod config;
pub mod key;
pub mod problem;
pub mod projection;
pub mod secret;
pub mod tls;
mod value;

pub use config::Config;
pub use problem::{ConfigProblems, Problem};
