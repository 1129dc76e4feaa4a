//! UTC time of the evidence format §2: RFC 3339 with nine fractional digits, years 1970 to 9999.
//!
//! Two types: `UtcTimestamp` for what a producer claims, `RecordedAt` for what a recorder stamps (nanoseconds
//! in an `i64`, so up to the year 2262). Neither reads a clock.

use std::fmt;

use jiff::{SignedDuration, civil};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Characters of the canonical form `2026-11-22T00:14:13.000000000Z`.
pub const TIMESTAMP_CHARS: usize = 30;

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

const SECONDS_PER_DAY: i64 = 86_400;

const EPOCH_DATE: civil::Date = civil::date(1970, 1, 1);

/// 9999-12-31T23:59:59Z, in seconds since 1970.
const SECONDS_MAX: i64 = 253_402_300_799;

/// Why a text or a number is not a time that evidence can hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TimeError {
    /// Not `YYYY-MM-DDThh:mm:ss[.n]` followed by `Z` or `+00:00`.
    #[error("expected RFC 3339 in UTC, such as 2026-11-22T00:14:13.000000000Z")]
    NotRfc3339,
    /// An offset other than `Z` and `+00:00`.
    #[error("expected UTC (Z or +00:00); other offsets are refused")]
    NotUtc,
    /// A second of 60.
    #[error("leap seconds (:60) are refused")]
    LeapSecond,
    /// A day or an hour that does not exist, or a year outside 1970 to 9999.
    #[error("no such time between 1970 and 9999")]
    OutOfRange,
    /// Later than 64-bit nanoseconds can count.
    #[error("beyond 2262-04-11T23:47:16.854775807Z, which recorded times cannot reach")]
    BeyondNanoseconds,
}

/// A moment in UTC with nanosecond precision, 1970 to 9999.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UtcTimestamp {
    seconds: i64,
    nanoseconds: u32,
}

impl UtcTimestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self { seconds: 0, nanoseconds: 0 };

    /// Takes whole seconds since 1970 and the nanoseconds within the second.
    ///
    /// # Errors
    ///
    /// `OutOfRange` outside 1970 to 9999 or for 10⁹ nanoseconds and more.
    pub fn new(seconds: i64, nanoseconds: u32) -> Result<Self, TimeError> {
        let in_range = (0..=SECONDS_MAX).contains(&seconds);
        if in_range && i64::from(nanoseconds) < NANOSECONDS_PER_SECOND {
            Ok(Self { seconds, nanoseconds })
        } else {
            Err(TimeError::OutOfRange)
        }
    }

    /// Parses what a producer may send: up to nine fractional digits, `Z` or `+00:00`.
    ///
    /// # Errors
    ///
    /// `TimeError` names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let bytes = text.as_bytes();
        let (Some(whole), Some(rest)) = (bytes.get(..19), bytes.get(19..)) else {
            return Err(TimeError::NotRfc3339);
        };
        let (nanoseconds, zone) = take_fraction(rest)?;
        match zone {
            b"Z" | b"+00:00" => Self::from_parts(whole, nanoseconds),
            [b'+' | b'-', a, b, b':', c, d] if [a, b, c, d].iter().all(|x| x.is_ascii_digit()) => {
                Err(TimeError::NotUtc)
            }
            _ => Err(TimeError::NotRfc3339),
        }
    }

    /// Parses the canonical form and nothing else.
    ///
    /// # Errors
    ///
    /// `TimeError` for every other spelling.
    pub fn parse_canonical(text: &[u8]) -> Result<Self, TimeError> {
        if text.len() != TIMESTAMP_CHARS || text[19] != b'.' || text[29] != b'Z' {
            return Err(TimeError::NotRfc3339);
        }
        Self::from_parts(&text[..19], digits(&text[20..29])?)
    }

    /// Reads `YYYY-MM-DDThh:mm:ss`.
    fn from_parts(text: &[u8], nanoseconds: u32) -> Result<Self, TimeError> {
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators.iter().any(|(place, byte)| text[*place] != *byte) {
            return Err(TimeError::NotRfc3339);
        }
        let year = digits(&text[..4])?;
        let [month, day] = [digits(&text[5..7])?, digits(&text[8..10])?];
        let [hour, minute, second] =
            [digits(&text[11..13])?, digits(&text[14..16])?, digits(&text[17..19])?];
        if second == 60 {
            return Err(TimeError::LeapSecond);
        }
        if hour > 23 || minute > 59 || second > 59 || year < 1970 {
            return Err(TimeError::OutOfRange);
        }
        // All values have at most four digits, and jiff refuses days that the month does not have.
        let date = civil::Date::new(year as i16, month as i8, day as i8)
            .map_err(|_| TimeError::OutOfRange)?;
        let midnight = date.duration_since(EPOCH_DATE).as_secs();
        let of_day = i64::from(hour * 3600 + minute * 60 + second);
        Self::new(midnight + of_day, nanoseconds)
    }

    /// Whole seconds since 1970.
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second.
    pub fn nanoseconds(&self) -> u32 {
        self.nanoseconds
    }

    /// The canonical form, as ASCII bytes.
    pub fn to_text(&self) -> [u8; TIMESTAMP_CHARS] {
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let (days, of_day) =
            (self.seconds / SECONDS_PER_DAY, (self.seconds % SECONDS_PER_DAY) as u32);
        let since_epoch = SignedDuration::from_secs(days * SECONDS_PER_DAY);
        // Every value of this type lies within jiff's years, so the fallback is never taken.
        let date = EPOCH_DATE.checked_add(since_epoch).unwrap_or(EPOCH_DATE);
        put(&mut text[0..4], date.year().unsigned_abs().into());
        put(&mut text[5..7], date.month().unsigned_abs().into());
        put(&mut text[8..10], date.day().unsigned_abs().into());
        put(&mut text[11..13], of_day / 3600);
        put(&mut text[14..16], of_day / 60 % 60);
        put(&mut text[17..19], of_day % 60);
        put(&mut text[20..29], self.nanoseconds);
        text
    }
}

/// Takes `.` and one to nine digits, if they are there, as nanoseconds.
fn take_fraction(text: &[u8]) -> Result<(u32, &[u8]), TimeError> {
    let Some(rest) = text.strip_prefix(b".") else { return Ok((0, text)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&length) {
        return Err(TimeError::NotRfc3339);
    }
    let missing = (9 - length) as u32;
    Ok((digits(&rest[..length])? * 10_u32.pow(missing), &rest[length..]))
}

/// Reads at most nine ASCII digits.
fn digits(text: &[u8]) -> Result<u32, TimeError> {
    text.iter().try_fold(0_u32, |value, byte| match byte {
        b'0'..=b'9' => Ok(value * 10 + u32::from(byte - b'0')),
        _ => Err(TimeError::NotRfc3339),
    })
}

/// Writes `value` as digits that fill `out`.
fn put(out: &mut [u8], mut value: u32) {
    for place in out.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

impl fmt::Display for UtcTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.to_text()))
    }
}

impl fmt::Debug for UtcTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UtcTimestamp({self})")
    }
}

impl std::str::FromStr for UtcTimestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse(text)
    }
}

impl Serialize for UtcTimestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcTimestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Box::<str>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// When a recorder sealed: nanoseconds since 1970-01-01T00:00:00Z, never decreasing within a stream.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordedAt(i64);

impl RecordedAt {
    /// Takes nanoseconds since 1970.
    ///
    /// # Errors
    ///
    /// `OutOfRange` for a negative number.
    pub fn from_nanoseconds(nanoseconds: i64) -> Result<Self, TimeError> {
        if nanoseconds < 0 { Err(TimeError::OutOfRange) } else { Ok(Self(nanoseconds)) }
    }

    /// Nanoseconds since 1970.
    pub fn nanoseconds(&self) -> i64 {
        self.0
    }

    /// Parses the canonical form and nothing else.
    ///
    /// # Errors
    ///
    /// `TimeError` for every other spelling and beyond the year 2262.
    pub fn parse_canonical(text: &[u8]) -> Result<Self, TimeError> {
        UtcTimestamp::parse_canonical(text)?.try_into()
    }

    /// The canonical form, as ASCII bytes.
    pub fn to_text(&self) -> [u8; TIMESTAMP_CHARS] {
        UtcTimestamp::from(*self).to_text()
    }
}

impl TryFrom<UtcTimestamp> for RecordedAt {
    type Error = TimeError;

    fn try_from(moment: UtcTimestamp) -> Result<Self, TimeError> {
        moment
            .seconds
            .checked_mul(NANOSECONDS_PER_SECOND)
            .and_then(|whole| whole.checked_add(moment.nanoseconds.into()))
            .map(Self)
            .ok_or(TimeError::BeyondNanoseconds)
    }
}

impl From<RecordedAt> for UtcTimestamp {
    fn from(moment: RecordedAt) -> Self {
        Self {
            seconds: moment.0 / NANOSECONDS_PER_SECOND,
            nanoseconds: (moment.0 % NANOSECONDS_PER_SECOND) as u32,
        }
    }
}

impl fmt::Display for RecordedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        UtcTimestamp::from(*self).fmt(f)
    }
}

impl fmt::Debug for RecordedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordedAt({self})")
    }
}

impl Serialize for RecordedAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RecordedAt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        UtcTimestamp::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn input_may_be_shorter_but_not_looser() {
        let canonical = "2026-11-22T00:14:13.000000000Z";
        for good in [
            "2026-11-22T00:14:13Z",
            "2026-11-22T00:14:13+00:00",
            "2026-11-22T00:14:13.0Z",
            canonical,
        ] {
            assert_eq!(UtcTimestamp::parse(good).unwrap().to_string(), canonical);
        }
        let faults = [
            ("2026-11-22T00:14:13+01:00", TimeError::NotUtc),
            ("2026-11-22T00:14:13-00:00", TimeError::NotUtc),
            ("2016-12-31T23:59:60Z", TimeError::LeapSecond),
            ("1969-12-31T23:59:59Z", TimeError::OutOfRange),
            ("2026-02-29T00:00:00Z", TimeError::OutOfRange),
            ("2026-13-01T00:00:00Z", TimeError::OutOfRange),
            ("2026-11-22T24:00:00Z", TimeError::OutOfRange),
            ("2026-11-22t00:14:13Z", TimeError::NotRfc3339),
            ("2026-11-22T00:14:13z", TimeError::NotRfc3339),
            ("2026-11-22 00:14:13Z", TimeError::NotRfc3339),
            ("2026-11-22T00:14:13.Z", TimeError::NotRfc3339),
            ("2026-11-22T00:14:13.0000000001Z", TimeError::NotRfc3339),
            ("2026-11-22T00:14:13", TimeError::NotRfc3339),
            ("2026-11-22T00:14Z", TimeError::NotRfc3339),
            ("+2026-11-22T00:14:13Z", TimeError::NotRfc3339),
            ("2026-11-22T00:14:13Zé", TimeError::NotRfc3339),
            ("", TimeError::NotRfc3339),
        ];
        for (text, fault) in faults {
            assert_eq!(UtcTimestamp::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn the_canonical_door_takes_one_spelling() {
        assert!(UtcTimestamp::parse_canonical(b"9999-12-31T23:59:59.999999999Z").is_ok());
        assert!(UtcTimestamp::parse_canonical(b"2026-11-22T00:14:13Z").is_err());
        assert!(UtcTimestamp::parse_canonical(b"2026-11-22T00:14:13.000000000+00:00").is_err());
    }

    #[test]
    fn recorded_times_end_with_the_nanoseconds() {
        let last = b"2262-04-11T23:47:16.854775807Z";
        assert_eq!(RecordedAt::parse_canonical(last).unwrap().nanoseconds(), i64::MAX);
        let beyond = b"2262-04-11T23:47:16.854775808Z";
        assert_eq!(RecordedAt::parse_canonical(beyond), Err(TimeError::BeyondNanoseconds));
        assert!(RecordedAt::from_nanoseconds(-1).is_err());
    }

    proptest! {
        #[test]
        fn text_and_value_name_the_same_moment(seconds in 0..=SECONDS_MAX, nanoseconds in 0_u32..1_000_000_000) {
            let moment = UtcTimestamp::new(seconds, nanoseconds).unwrap();
            prop_assert_eq!(UtcTimestamp::parse_canonical(&moment.to_text()), Ok(moment));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,40}") {
            let _ = UtcTimestamp::parse(&text);
        }
    }
}
