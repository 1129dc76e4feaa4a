//! The integration tests of recorder-envelope, one module a subject.

mod json;
