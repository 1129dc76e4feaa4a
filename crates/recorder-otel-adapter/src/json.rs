//! OTLP/JSON: a body is walked once; each record is parsed strictly, and one that is wrong costs no other.
//!
//! The grammar outside records is JSON; inside, a record that breaks a rule is left and skipped by its brackets.
//! Deliberately absent: a value tree. What a record says is rendered as canonical text while it is read.

mod cursor;
mod integer;
mod order;
mod record;
mod value;
mod walk;

pub(crate) use walk::walk;

use std::borrow::Cow;

/// What stands for a byte that is not UTF-8: no string may hold it, so it is found where the string is read.
const REPLACED: u8 = 0x01;

/// The body as text. Bytes that are not UTF-8 become control characters, which cost the record that holds
/// them and no other.
fn as_text(body: &[u8]) -> Cow<'_, str> {
    match simdutf8::basic::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut text = String::with_capacity(body.len());
            for chunk in body.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().map(|_| char::from(REPLACED)));
            }
            Cow::Owned(text)
        }
    }
}
