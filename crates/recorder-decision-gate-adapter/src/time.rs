//! Times as the source has them: milliseconds since 1970, or a logical count, given by whoever called it.
//!
//! Nothing makes them rise, both kinds may stand in one run, and any 64-bit number is legal. A time that no
//! envelope can claim is none here; the record keeps it as it was written.

use recorder_core::time::UtcTimestamp;

use crate::json::Node;

/// A time that an envelope can claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SourceTime {
    milliseconds: i64,
    logical: bool,
}

/// What came of reading a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadTime {
    /// An envelope can claim it.
    Fit(SourceTime),
    /// A time of the source that lies outside of what an envelope can claim.
    OutOfRange,
    /// No time of the source.
    Malformed,
}

impl SourceTime {
    /// The time in `node`, if an envelope can claim it.
    pub(crate) fn of(node: Option<&Node<'_>>) -> Option<Self> {
        match Self::read(node?) {
            ReadTime::Fit(time) => Some(time),
            ReadTime::OutOfRange | ReadTime::Malformed => None,
        }
    }

    /// Reads a time.
    pub(crate) fn read(node: &Node<'_>) -> ReadTime {
        let value = node.get("value");
        let (milliseconds, logical) = match node.text_of("kind") {
            Some("unix_millis") => (value.and_then(Node::integer::<i64>).map(i128::from), false),
            Some("logical") => (value.and_then(Node::integer::<u64>).map(i128::from), true),
            _ => (None, false),
        };
        let Some(milliseconds) = milliseconds else { return ReadTime::Malformed };
        let time = i64::try_from(milliseconds).map(|milliseconds| Self { milliseconds, logical });
        match time {
            Ok(time) if time.timestamp().is_some() => ReadTime::Fit(time),
            Ok(_) | Err(_) => ReadTime::OutOfRange,
        }
    }

    /// As a time that an envelope claims. A logical count is milliseconds since 1970.
    fn timestamp(self) -> Option<UtcTimestamp> {
        let seconds = self.milliseconds.div_euclid(1000);
        let rest = u32::try_from(self.milliseconds.rem_euclid(1000)).ok()?;
        UtcTimestamp::new(seconds, rest * 1_000_000).ok()
    }

    /// What the envelope claims.
    pub(crate) fn claimed(self) -> UtcTimestamp {
        self.timestamp().unwrap_or(UtcTimestamp::EPOCH)
    }

    /// Whether it is a count and no time of day.
    pub(crate) const fn is_logical(self) -> bool {
        self.logical
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ReadTime {
        SourceTime::read(&Node::parse(text).unwrap())
    }

    #[test]
    fn times_of_the_source_are_read_as_what_an_envelope_can_claim() {
        let ReadTime::Fit(time) = read(r#"{"kind":"unix_millis","value":1767225600500}"#) else {
            panic!("no time");
        };
        assert_eq!(
            String::from_utf8_lossy(&time.claimed().to_text()),
            "2026-01-01T00:00:00.500000000Z"
        );
        assert!(
            matches!(read(r#"{"kind":"logical","value":7}"#), ReadTime::Fit(time) if time.is_logical())
        );
    }

    #[test]
    fn times_that_no_envelope_can_claim_are_told_from_what_is_no_time() {
        for value in ["-1", "9223372036854775807", "253402300800000"] {
            let text = format!(r#"{{"kind":"unix_millis","value":{value}}}"#);
            assert_eq!(read(&text), ReadTime::OutOfRange, "{text}");
        }
        assert_eq!(
            read(r#"{"kind":"logical","value":18446744073709551615}"#),
            ReadTime::OutOfRange
        );
        for text in [
            "null",
            "1",
            r#"{"kind":"unix_millis","value":1.5}"#,
            r#"{"kind":"unix_millis","value":"yesterday"}"#,
            r#"{"kind":"logical","value":-1}"#,
            r#"{"kind":"stardate","value":1}"#,
            r#"{"kind":"unix_millis"}"#,
        ] {
            assert_eq!(read(text), ReadTime::Malformed, "{text}");
        }
    }
}
