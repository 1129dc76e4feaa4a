//! Why no contract was made, read or written.

use std::path::PathBuf;

use recorder_fs::{FileError, TreeError};

use crate::breaks::Break;

/// Why no contract was made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The directory holds something else than a contract.
    #[error("{}: holds files and no index of a contract; nothing there is touched", root.display())]
    NotOurs {
        /// The directory.
        root: PathBuf,
    },
    /// What clients rely on would vanish or change, and nobody decided that.
    #[error(
        "{} published facts would break, the first of them {}; record each in breaks.toml with its reason and accept them",
        breaks.len(),
        breaks.first().map(|broken| broken.fact.as_str()).unwrap_or_default()
    )]
    Breaks {
        /// All of them.
        breaks: Vec<Break>,
    },
    /// The record of breaks is not of its form.
    #[error("breaks.toml: {detail}")]
    BreaksMalformed {
        /// What is wrong.
        detail: String,
    },
    /// A published artifact whose facts are compared is not JSON.
    #[error("{path}: is not the JSON that was published")]
    FactsMalformed {
        /// The artifact.
        path: String,
    },
    /// There is no directory to check.
    #[error("{}: no contract is there", root.display())]
    Missing {
        /// The directory.
        root: PathBuf,
    },
    /// A link, a file with two names or something that is no file; or the directory cannot be read or written.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A bound has no place in the shapes any more.
    #[error("internal: a bound for {pointer}, which is not there")]
    MissingPointer {
        /// The shape and the place in it.
        pointer: String,
    },
    /// An adapter's rules have no form as JSON.
    #[error("internal: the rules of {what} cannot be written")]
    Unwritable {
        /// The adapter.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A shape refers to one that is not there.
    #[error("internal: a reference to {name}, which is not there")]
    MissingShape {
        /// Its name.
        name: String,
    },
}

impl From<FileError> for ContractError {
    fn from(error: FileError) -> Self {
        Self::Tree(error.into())
    }
}
