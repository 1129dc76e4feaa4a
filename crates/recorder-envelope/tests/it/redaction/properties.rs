//! Inputs for the check that the fuzz target `redaction` makes.

use proptest::prelude::*;

use super::any_bytes::check_bytes;
use super::planted::tree;

/// Pieces that meet in secrets, markers and JSON.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "\\",
    "\\\"",
    "\\u00e9",
    "é",
    " ",
    "token",
    "password",
    "=",
    "$redacted",
    "$truncated",
    "value",
    "name",
    "Bearer ",
    "eyJ",
    ".",
    "abcdefghijkl",
    "12",
    "null",
    "://",
    "@",
    "a",
    "--",
    "%3D",
    "-----BEGIN PRIVATE KEY-----",
    "\"a\":1",
    "{}",
    "[]",
    "\"\"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_taken_or_refused(input in prop::collection::vec(any::<u8>(), 0..200)) {
        check_bytes(&input);
    }

    #[test]
    fn what_is_almost_json_and_almost_secret_is_taken_or_refused(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..30),
    ) {
        check_bytes(pieces.concat().as_bytes());
    }

    #[test]
    fn any_json_keeps_within_the_bounds(value in tree()) {
        check_bytes(value.to_string().as_bytes());
    }
}
