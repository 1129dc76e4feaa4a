//! The name that a producer gives to a request, so that its retry is not recorded twice.

use std::fmt;

/// Characters of a key.
pub const KEY_CHARS_MAX: usize = 128;

/// The text is no idempotency key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an idempotency key is 1 to {KEY_CHARS_MAX} visible ASCII characters")]
pub struct InvalidKey;

/// An idempotency key: 1 to 128 visible ASCII characters. Its scope is a stream.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// Takes a key.
    ///
    /// # Errors
    ///
    /// `InvalidKey`.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, InvalidKey> {
        let text = text.into();
        let is_key = (1..=KEY_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_key { Ok(Self(text)) } else { Err(InvalidKey) }
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_and_bounded() {
        assert!(IdempotencyKey::new("k".repeat(128)).is_ok());
        for refused in ["", "a b", "\u{7f}", "é", "a\n", &"k".repeat(129)] {
            assert_eq!(IdempotencyKey::new(refused), Err(InvalidKey), "{refused:?}");
        }
    }
}
