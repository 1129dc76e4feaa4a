//! What is wrong with a configuration: all of it at once, each with its place and what to do.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The setting in full, or the file where no setting is meant.
    pub path: String,
    /// Its line in the file, counted from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong and what to do. It never holds a secret.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} (line {line}): {}", self.path, self.detail),
            None => write!(f, "{}: {}", self.path, self.detail),
        }
    }
}

/// Why a configuration does not hold; never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigProblems(pub(crate) Vec<Problem>);

impl ConfigProblems {
    /// All problems, in the order of the settings.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigProblems {}
