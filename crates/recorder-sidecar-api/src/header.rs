//! Headers: the names, and the grammar of each value.

use recorder_core::idempotency::{IdempotencyKey, InvalidKey};

use crate::media::is_token;

/// Names the retry of a request.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Says that an answer was given before.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";
/// The sender's name for a request.
pub const CORRELATION_ID: &str = "x-correlation-id";
/// An older name of the same.
pub const LEGACY_CORRELATION_ID: &str = "x-request-id";
/// The service's name for a request.
pub const SERVER_CORRELATION_ID: &str = "x-server-correlation-id";
/// Asserts that the sender holds the writer lease.
pub const WRITER_LEASE: &str = "x-recorder-writer-lease";
/// The tenant that the sender acts for, under a control plane.
pub const TENANT_ID: &str = "x-tenant-id";
/// Who the sender is, under a control plane.
pub const PRINCIPAL_ID: &str = "x-principal-id";
/// How that was found out.
pub const AUTHN_METHOD: &str = "x-authn-method";
/// A part of the tenant, where it has parts.
pub const NAMESPACE: &str = "x-namespace";

/// Headers that a request may have once at most, since two of them would mean two things.
pub const SINGLE: &[&str] = &[
    "host",
    "authorization",
    "content-type",
    "content-length",
    "transfer-encoding",
    "content-encoding",
    "accept",
    "expect",
    IDEMPOTENCY_KEY,
    CORRELATION_ID,
    LEGACY_CORRELATION_ID,
    WRITER_LEASE,
    TENANT_ID,
    PRINCIPAL_ID,
    AUTHN_METHOD,
    NAMESPACE,
];

/// Characters of a correlation id.
pub const CORRELATION_CHARS_MAX: usize = 128;

/// Reads an idempotency key: as it is, or as a string of RFC 8941 §3.3.3. Both name the same key.
///
/// # Errors
///
/// `InvalidKey`.
pub fn idempotency_key(value: &str) -> Result<IdempotencyKey, InvalidKey> {
    match value.strip_prefix('"') {
        Some(quoted) => IdempotencyKey::new(unquoted(quoted).ok_or(InvalidKey)?),
        None => IdempotencyKey::new(value),
    }
}

/// What stands in a quoted string, after its opening quote.
fn unquoted(quoted: &str) -> Option<String> {
    let mut key = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(key),
            '\\' => match characters.next()? {
                escaped @ ('"' | '\\') => key.push(escaped),
                _ => return None,
            },
            plain => key.push(plain),
        }
    }
}

/// Whether a value is a correlation id: 1 to 128 token characters.
pub fn is_correlation_id(value: &str) -> bool {
    value.len() <= CORRELATION_CHARS_MAX && is_token(value)
}

/// The token of `Authorization: Bearer TOKEN`; none for any other scheme or form.
pub fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    let is_clean = !token.is_empty() && token.iter().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case(b"bearer ") && is_clean).then_some(token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(value: &str) -> Option<String> {
        idempotency_key(value).ok().map(|key| key.as_str().to_owned())
    }

    #[test]
    fn a_key_is_the_same_bare_and_quoted() {
        for (value, expected) in [
            ("a", "a"),
            ("\"a\"", "a"),
            (r#""a\"b""#, "a\"b"),
            (r#"a"b"#, "a\"b"),
            (r#""\\""#, "\\"),
            ("~!", "~!"),
        ] {
            assert_eq!(key(value).as_deref(), Some(expected), "{value}");
        }
        let long = "k".repeat(128);
        assert_eq!(key(&long), key(&format!("\"{long}\"")));
        for refused in [
            "",
            "\"\"",
            "\"a",
            "\"a\"b",
            "\"a\";x=1",
            "a b",
            "\"a b\"",
            "é",
            "\t",
            r#""\a""#,
            "\"",
            &"k".repeat(129),
        ] {
            assert_eq!(key(refused), None, "{refused}");
        }
    }

    #[test]
    fn a_correlation_id_is_a_token_of_bounded_length() {
        assert!(is_correlation_id("0af7-651916_cd43.dd84"));
        for refused in ["", "a b", "a,b", "a\"", "é", "a/b", &"a".repeat(129)] {
            assert!(!is_correlation_id(refused), "{refused}");
        }
    }

    #[test]
    fn a_bearer_token_stands_after_one_space() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bearer abc"), Some(&b"abc"[..]));
        for refused in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer  abc",
            b"Basic abc",
            b"Bearer a b",
            b"Bearer a\tb",
            b"Bearerabc",
        ] {
            assert_eq!(bearer(refused), None, "{refused:?}");
        }
    }

    proptest! {
        #[test]
        fn every_key_survives_quoting(bare in "[!-~]{1,128}") {
            prop_assume!(!bare.starts_with('"'));
            let quoted = format!("\"{}\"", bare.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(key(&quoted), Some(bare.clone()));
            prop_assert_eq!(key(&bare), Some(bare));
        }

        #[test]
        fn whatever_is_read_as_a_key_is_visible_and_bounded(value in "\\PC{0,140}") {
            if let Some(key) = key(&value) {
                prop_assert!(key.bytes().all(|byte| byte.is_ascii_graphic()) && (1..=128).contains(&key.len()));
            }
        }
    }
}
