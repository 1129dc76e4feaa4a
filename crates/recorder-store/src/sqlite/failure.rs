//! What can go wrong below the store: SQLite fails, or a row holds what it cannot hold.

use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::error::{Cause, Corruption, ReadError};

/// Why a statement or a row gave no value.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// A row contradicts the store's rules.
    Corrupt(Corruption),
}

impl Failure {
    /// Names a place and what is wrong there.
    pub(super) fn corrupt(place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Corrupt(Corruption { place: place.into(), detail: detail.into() })
    }
}

/// Errors by which SQLite says that the file is wrong, not the disk or the caller: every constraint that a caller can
/// break is asked for before.
fn is_corruption(code: Option<ErrorCode>) -> bool {
    matches!(
        code,
        Some(
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::TooBig
                | ErrorCode::TypeMismatch
                | ErrorCode::ConstraintViolation
        )
    )
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        if is_corruption(error.sqlite_error_code()) {
            Self::corrupt("database file", error.to_string())
        } else {
            Self::Sql(error)
        }
    }
}

impl From<Corruption> for Failure {
    fn from(corruption: Corruption) -> Self {
        Self::Corrupt(corruption)
    }
}

impl From<Failure> for ReadError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sql(error) => Self::Storage(Arc::new(error) as Cause),
            Failure::Corrupt(corruption) => Self::Corrupt(corruption),
        }
    }
}
