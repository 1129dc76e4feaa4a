//! The settings from outside: files as an operator writes them. Unix only, as the rules of secrets are.
#![cfg(test)]
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "tests set up files")]

mod files;
mod fixture;
mod relations;
