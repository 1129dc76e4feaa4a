//! Everything that crosses a boundary, as files: generated from the tables that the programs run on, hashed, and checked
//! for drift and for breaks.
//!
//! [`artifacts`] makes every file in memory, [`generate`] makes a directory hold exactly those, [`check`] says where one
//! differs. The same program gives the same bytes on every machine. What clients rely on is kept as facts: one that
//! vanishes or changes must stand in `breaks.toml`, with a reason.
//!
//! Deliberately absent: versions of the past, which version control keeps, and writing words that a table elsewhere has.

mod api;
mod artifact;
mod breaks;
mod enumeration;
mod error;
mod example;
pub mod glossary;
mod observation;
mod openapi;
mod overlay;
mod publish;
mod schema;
mod sdk;
mod shape;
mod text;

pub use artifact::{CONTRACT_VERSION, artifacts};
pub use breaks::{BREAKS, Break};
pub use error::ContractError;
pub use publish::{Checked, Drift, DriftKind, Generated, check, compare, generate};
