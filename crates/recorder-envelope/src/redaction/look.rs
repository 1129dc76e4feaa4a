//! Tells at a glance that a short text holds no secret: by its length and by the kinds of signs in it.
//!
//! Every rule needs certain signs and a certain length: a bearer needs a blank, a stripe key an underscore and 18 bytes.
//! Most values of real records are short and have too few signs for any rule, and are not searched at all.

use super::policy::Trigger;
use super::scan;

/// Longer texts are searched without a glance: they have all signs anyway.
const GLANCE_BYTES_MAX: usize = 64;

/// `:` or `=`.
const ASSIGN: u8 = 1;
const DASH: u8 = 2;
const DOT: u8 = 4;
const LOW_LINE: u8 = 8;
/// Whatever may stand around a value: blanks, control characters, quotes, commas, closing brackets.
const BREAK: u8 = 16;
const AT: u8 = 32;
const UPPER: u8 = 64;
const PERCENT: u8 = 128;

/// The signs of each byte.
const SIGNS: [u8; 256] = signs();

const fn signs() -> [u8; 256] {
    let mut signs = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        signs[byte] = match byte as u8 {
            b':' | b'=' => ASSIGN,
            b'-' => DASH,
            b'.' => DOT,
            b'_' => LOW_LINE,
            0..=b' ' | b'"' | b'\'' | b'\\' | b'`' | b']' | b',' => BREAK,
            b'@' => AT,
            b'A'..=b'Z' => UPPER,
            b'%' => PERCENT,
            _ => 0,
        };
        byte += 1;
    }
    signs
}

fn signs_of(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |signs, byte| signs | SIGNS[usize::from(*byte)])
}

/// The length of the shortest text that may hold a secret, by the signs in it.
pub(super) struct Glance {
    least: Box<[usize]>,
}

impl std::fmt::Debug for Glance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Glance(..)")
    }
}

impl Glance {
    /// Takes what a policy looks for: each trigger with its needle.
    pub(super) fn new<'t>(
        triggers: impl Iterator<Item = (&'t Trigger, &'t str)>,
        assignment: bool,
    ) -> Self {
        let mut glance = Self { least: vec![usize::MAX; 256].into_boxed_slice() };
        for (trigger, needle) in triggers {
            for (signs, bytes_min) in needs(trigger, needle, assignment).into_iter().flatten() {
                glance.admit(signs, 0, bytes_min);
            }
        }
        glance.admit(PERCENT, 0, 0);
        glance.admit(UPPER, DOT | BREAK | AT | PERCENT, scan::BASE64_BYTES_MIN);
        glance
    }

    /// Texts that have all signs of `with` and none of `without` are searched from `bytes_min` on.
    fn admit(&mut self, with: u8, without: u8, bytes_min: usize) {
        for (signs, least) in self.least.iter_mut().enumerate() {
            if signs & usize::from(with) == usize::from(with) && signs & usize::from(without) == 0 {
                *least = bytes_min.min(*least);
            }
        }
    }

    /// Whether the text must be searched.
    #[inline]
    pub(super) fn suspects(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        bytes.len() > GLANCE_BYTES_MAX || self.is_enough(signs_of(bytes), bytes.len())
    }

    /// Whether the text is a word or a few, at a glance: it need not be searched, holds no JSON, and stands in JSON as it is.
    #[inline]
    pub(super) fn is_plain(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        if bytes.len() > GLANCE_BYTES_MAX || bytes.last() == Some(&b'}') {
            return false;
        }
        // What JSON escapes, and what else may end JSON, are breaks.
        let signs = signs_of(bytes);
        signs & BREAK == 0 && !self.is_enough(signs, bytes.len())
    }

    /// Whether a text of this length, with these signs, may hold a secret.
    #[inline]
    fn is_enough(&self, signs: u8, length: usize) -> bool {
        self.least.get(usize::from(signs)).is_none_or(|least| length >= *least)
    }
}

/// The signs that a text with this trigger has, and the least of its length; a name may be given its value in two ways.
fn needs(trigger: &Trigger, needle: &str, assignment: bool) -> [Option<(u8, usize)>; 2] {
    let signs = signs_of(needle.as_bytes());
    // Needles are found in any case.
    let any_case = signs & !UPPER;
    let length = needle.len();
    let one = match trigger {
        Trigger::Name if assignment => {
            let (sign, flag) = (any_case | ASSIGN, any_case | DASH | BREAK);
            return [Some((sign, length + 2)), Some((flag, length + 2))];
        }
        Trigger::Name => return [None, None],
        Trigger::Token { chars_min, .. } => (signs, length + chars_min),
        Trigger::Jwt => (any_case | UPPER | DOT, length),
        Trigger::Userinfo => (any_case | AT, length),
        Trigger::Query | Trigger::Basic | Trigger::Bearer | Trigger::Pem => (any_case, length),
    };
    [Some(one), None]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::policy::RedactionPolicy;
    use super::super::{Bounds, Redactor, walk};
    use super::scan;

    /// Pieces of secrets and of what surrounds them.
    const PIECES: [&str; 40] = [
        "token",
        "api_key",
        "apiKey",
        "Secret",
        "passw",
        "--",
        "-",
        "=",
        ":",
        " ",
        ",",
        "\"",
        "]",
        "x",
        "7",
        "A",
        "_",
        ".",
        "@",
        "%",
        "%20",
        "://",
        "u:p@h",
        "?sig=",
        "&key=",
        "Basic ",
        "dTpwYXNz",
        "Bearer ",
        "abcdefgh1",
        "eyJhbGciOi.",
        "eyJzdWIiOi.",
        "AKIA",
        "0123456789ABCDEF",
        "sk-",
        "ghp_",
        "xoxb-1234567890",
        "SG.",
        "-----BEGIN ",
        "PRIVATE KEY",
        "dG9rZW49aHVudGVy",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn what_is_not_suspected_holds_nothing_that_a_search_finds(
            pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 1..7),
        ) {
            let (policy, text) = (RedactionPolicy::base().unwrap(), pieces.concat());
            if !policy.glance.suspects(&text) {
                prop_assert_eq!(scan::search(&policy, &text), None, "{}", text);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn what_is_plain_is_written_as_it_is(
            pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..4),
            rest in "(?s).{0,6}",
        ) {
            let (policy, text) = (RedactionPolicy::base().unwrap(), pieces.concat() + &rest);
            let redactor = Redactor::new(policy, Bounds::DEFAULT, None);
            if redactor.policy().glance.is_plain(&text) {
                let (mut written, mut quick) = (Vec::new(), Vec::new());
                let mut redaction = redactor.begin();
                walk::write_text(&mut redaction, &text, 0, &mut written);
                redaction.text(&text, &mut quick);
                prop_assert_eq!(&quick, &written);
                prop_assert_eq!(written, format!("\"{text}\"").into_bytes());
            }
        }
    }

    #[test]
    fn short_words_of_records_are_not_suspected() {
        let policy = RedactionPolicy::base().unwrap();
        for text in ["execute_tool", "function", "conv-000123", "northmere", "call-1f9c0d2e"] {
            assert!(!policy.glance.suspects(text), "{text}");
        }
    }
}
