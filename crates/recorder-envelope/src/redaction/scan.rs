//! Secrets that are known by their shape, in one pass over a text.
//!
//! One matcher finds where something might begin; a few bytes around it then tell whether it does. All work is
//! linear in the text: what looks ahead from a match is bounded, or ends where the next match cannot look again.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::policy::{Alphabet, RedactionPolicy, Trigger};

/// Shorter texts hold no secret that could be told from anything else.
const SECRET_BYTES_MIN: usize = 7;

/// Shorter texts are not taken for base64: too many words and ids look like it.
pub(super) const BASE64_BYTES_MIN: usize = 16;

/// How far a look ahead goes through what is not the secret itself: names, quotes, white space.
const AHEAD_BYTES_MAX: usize = 64;

/// The least that must follow a `Bearer ` to be no word of a sentence.
const BEARER_CHARS_MIN: usize = 8;

/// Without a digit or a sign in it, more must follow.
const BEARER_LETTERS_MIN: usize = 20;

/// The least of each of the first two parts of a JWT.
const JWT_PART_CHARS_MIN: usize = 10;

/// A user of a URL that is this long, and has no password, is one.
const USERINFO_CHARS_MIN: usize = 16;

/// How far the `@` of a URL may stand from its `://`.
const USERINFO_CHARS_MAX: usize = 1024;

const BASE64: GeneralPurpose = engine(&base64::alphabet::STANDARD);
const BASE64_URL: GeneralPurpose = engine(&base64::alphabet::URL_SAFE);

const fn engine(alphabet: &base64::alphabet::Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

/// The reason of the first secret in `text`, also where all of it is base64 or parts are percent-encoded.
pub(super) fn secret_in<'p>(policy: &'p RedactionPolicy, text: &str) -> Option<&'p str> {
    if text.len() < SECRET_BYTES_MIN {
        return None;
    }
    if !policy.glance.suspects(text) {
        debug_assert_eq!(search(policy, text), None, "a glance missed what a search finds");
        return None;
    }
    search(policy, text)
}

pub(super) fn search<'p>(policy: &'p RedactionPolicy, text: &str) -> Option<&'p str> {
    let plain = |text: &str| {
        policy.matcher.find(text.as_bytes(), |index, start, end| {
            let (trigger, reason) = policy.triggers.get(index)?;
            holds(policy, trigger, text, start, end).then_some(&**reason)
        })
    };
    plain(text)
        .or_else(|| percent_decoded(text).and_then(|text| plain(&text)))
        .or_else(|| base64_decoded(text).and_then(|text| plain(&text)))
}

/// The text with its percent-encoding resolved; `None` where there is none.
fn percent_decoded(text: &str) -> Option<String> {
    memchr::memchr(b'%', text.as_bytes())?;
    match percent_encoding::percent_decode_str(text).decode_utf8_lossy() {
        Cow::Owned(decoded) => Some(decoded),
        Cow::Borrowed(_) => None,
    }
}

/// What the text says in base64; `None` where it is none, or not of text.
fn base64_decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    // Lower-case hex is what most ids are written in, and never the base64 of text.
    let starts = bytes.get(..BASE64_BYTES_MIN)?;
    if !starts.iter().any(u8::is_ascii_uppercase) || !bytes.iter().all(is_base64) {
        return None;
    }
    let url_safe = bytes.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let engine = if url_safe { &BASE64_URL } else { &BASE64 };
    engine.decode(bytes).ok().and_then(|decoded| String::from_utf8(decoded).ok())
}

/// Whether what was found at `start..end` is the beginning of a secret.
pub(super) fn holds(
    policy: &RedactionPolicy,
    trigger: &Trigger,
    text: &str,
    start: usize,
    end: usize,
) -> bool {
    let bytes = text.as_bytes();
    match trigger {
        Trigger::Name => policy.assignment && is_assigned(policy, text, start, end),
        Trigger::Query => count(bytes, end, |byte| !is_query_end(byte), BEARER_CHARS_MIN),
        Trigger::Token { prefix, alphabet, chars_min } => {
            begins_word(bytes, start)
                && bytes.get(start..end) == Some(prefix.as_bytes())
                && count(bytes, end, |byte| alphabet.has(byte), *chars_min)
        }
        Trigger::Basic => is_basic(bytes, end),
        Trigger::Bearer => is_bearer(bytes, end),
        Trigger::Jwt => bytes.get(start..end) == Some(b"eyJ") && is_jwt(bytes, start),
        Trigger::Pem => is_pem(bytes, start),
        Trigger::Userinfo => is_userinfo(bytes, end),
    }
}

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Base64url => is_base64url(byte),
        }
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn is_query_end(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'&' | b'#' | b'"' | b'\'' | b'<' | b'>')
}

/// Whether no letter or digit stands just before `start`.
fn begins_word(bytes: &[u8], start: usize) -> bool {
    start
        .checked_sub(1)
        .and_then(|before| bytes.get(before))
        .is_none_or(|b| !b.is_ascii_alphanumeric())
}

/// Whether at least `chars_min` bytes from `at` on pass.
fn count(bytes: &[u8], at: usize, passes: impl Fn(u8) -> bool, chars_min: usize) -> bool {
    let run = bytes.get(at..at.saturating_add(chars_min));
    run.is_some_and(|run| run.iter().all(|byte| passes(*byte)))
}

/// The index from `at` on, but not beyond a bounded look ahead, of the first byte that does not pass.
fn skip(bytes: &[u8], at: usize, passes: impl Fn(u8) -> bool) -> usize {
    let ahead = bytes.iter().skip(at).take(AHEAD_BYTES_MAX);
    at + ahead.take_while(|byte| passes(**byte)).count()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'\\' | b'`')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether the name around `start..end` is given a value: `name=value`, `"name": "value"`, `--name value`.
fn is_assigned(policy: &RedactionPolicy, text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let before = bytes.get(..start).unwrap_or_default().iter().rev().take(AHEAD_BYTES_MAX);
    let name_start = start - before.take_while(|byte| is_name_byte(**byte)).count();
    let name_end = skip(bytes, end, is_name_byte);
    let is_flag = bytes.get(name_start) == Some(&b'-');
    let after_name = skip(bytes, name_end, |byte| is_quote(byte) || is_blank(byte) || byte == b']');
    let value = match bytes.get(after_name) {
        Some(b':') if bytes.get(after_name + 1) == Some(&b':') => return false,
        Some(b':' | b'=') => skip(bytes, after_name + 1, |byte| matches!(byte, b'=' | b'>')),
        Some(b',') if is_flag => after_name + 1,
        _ if is_flag && after_name > name_end => after_name,
        _ => return false,
    };
    let value = skip(bytes, value, |byte| is_quote(byte) || is_blank(byte));
    let ends = |byte: u8| byte <= b' ' || is_quote(byte) || b",;&)]}<".contains(&byte);
    let rest = bytes.get(value..).unwrap_or_default();
    let value = rest.get(..rest.iter().take(AHEAD_BYTES_MAX).take_while(|b| !ends(**b)).count());
    let name = text.get(name_start..name_end).unwrap_or_default();
    value.is_some_and(|value| is_telling(value) && !(is_number(value) && policy.counts(name)))
}

/// Whether a value says anything: not empty, not a literal, not masked already.
fn is_telling(value: &[u8]) -> bool {
    const SILENT: [&[u8]; 6] = [b"null", b"none", b"true", b"false", b"undefined", b"nil"];
    let is_silent = SILENT.iter().any(|silent| silent.eq_ignore_ascii_case(value));
    !value.is_empty() && !is_silent && !value.iter().all(|byte| *byte == b'*')
}

fn is_number(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Whether `user:password` in base64 follows a `Basic `.
fn is_basic(bytes: &[u8], at: usize) -> bool {
    let run = bytes.get(at..).unwrap_or_default();
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    let run = run.get(..run.iter().take(4 * AHEAD_BYTES_MAX).take_while(|b| is_base64(b)).count());
    let run = run.unwrap_or_default();
    // A run that was cut by the look ahead decodes as far as whole groups of four go.
    let whole = if run.len() == 4 * AHEAD_BYTES_MAX { run.len() & !3 } else { run.len() };
    let run = run.get(..whole).unwrap_or_default();
    let decoded = BASE64.decode(run).or_else(|_| BASE64_URL.decode(run));
    decoded.is_ok_and(|pair| pair.contains(&b':') && pair.len() > 2)
}

fn is_bearer(bytes: &[u8], at: usize) -> bool {
    let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let end = skip(bytes, at, is_token68);
    let token = bytes.get(at..end).unwrap_or_default();
    let is_word = token.iter().all(u8::is_ascii_alphabetic);
    token.len() >= if is_word { BEARER_LETTERS_MIN } else { BEARER_CHARS_MIN }
}

/// Whether two parts of a compact serialisation (RFC 7515 §3.1) stand at `start`, and the point of a third.
fn is_jwt(bytes: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).and_then(|before| bytes.get(before));
    if before.is_some_and(|byte| is_base64url(*byte)) {
        return false;
    }
    let part = |at: usize| {
        let run = bytes.get(at..).unwrap_or_default();
        let length = run.iter().take_while(|byte| is_base64url(**byte)).count();
        let ends = run.get(length) == Some(&b'.') && length >= JWT_PART_CHARS_MIN;
        ends.then_some(at + length + 1)
    };
    part(start).and_then(part).is_some()
}

/// Whether `PRIVATE KEY` at `start` stands in the first line of a PEM text (RFC 7468).
fn is_pem(bytes: &[u8], start: usize) -> bool {
    let from = start.saturating_sub(AHEAD_BYTES_MAX);
    let before = bytes.get(from..start).unwrap_or_default();
    memchr::memmem::find(before, b"-----BEGIN ").is_some()
}

/// Whether what follows `://` is a user with a password, or a user as long as a token.
fn is_userinfo(bytes: &[u8], at: usize) -> bool {
    let ends = |byte: &u8| *byte <= b' ' || b"/?#\"'<>\\@".contains(byte);
    let rest = bytes.get(at..).unwrap_or_default();
    let length = rest.iter().take(USERINFO_CHARS_MAX).take_while(|byte| !ends(byte)).count();
    if rest.get(length) != Some(&b'@') {
        return false;
    }
    let userinfo = rest.get(..length).unwrap_or_default();
    match memchr::memchr(b':', userinfo) {
        Some(colon) => colon + 1 < userinfo.len(),
        None => userinfo.len() >= USERINFO_CHARS_MIN,
    }
}
