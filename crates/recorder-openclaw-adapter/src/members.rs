//! The members of a JSON object, their values unread: how far anything is nested costs nothing here.

use std::borrow::Cow;
use std::fmt;

use recorder_core::time::UtcTimestamp;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The last millisecond that a claimed time can name.
const MILLISECONDS_MAX: u64 = 253_402_300_799_999;

/// An object's members in order. An object that names one twice is none.
#[derive(Debug)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Members<'a> {
    pub(crate) fn read(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// The JSON text of a member that is there and not `null`.
    pub(crate) fn json(&self, name: &str) -> Option<&'a str> {
        let member = self.0.iter().find(|(found, _)| found == name)?;
        Some(member.1.get()).filter(|json| *json != "null")
    }

    /// A member that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        serde_json::from_str::<Text<'_>>(self.json(name)?).ok().map(|text| text.0)
    }

    /// A member that is an integer from 0 on.
    pub(crate) fn integer(&self, name: &str) -> Option<u64> {
        serde_json::from_str(self.json(name)?).ok()
    }

    /// A member that is an object.
    pub(crate) fn object(&self, name: &str) -> Option<Members<'a>> {
        Self::read(self.json(name)?).ok()
    }

    /// A member that is a time in milliseconds: `None` where there is none, `Err` where no envelope can claim it.
    pub(crate) fn time(&self, name: &str) -> Option<Result<UtcTimestamp, ()>> {
        self.json(name).map(|_| self.integer(name).and_then(moment).ok_or(()))
    }
}

/// The moment so many milliseconds after 1970; `None` beyond the year 9999.
pub(crate) fn moment(milliseconds: u64) -> Option<UtcTimestamp> {
    let milliseconds = (milliseconds <= MILLISECONDS_MAX).then_some(milliseconds)?;
    let seconds = i64::try_from(milliseconds / 1000).ok()?;
    let nanoseconds = u32::try_from(milliseconds % 1000).ok()? * 1_000_000;
    UtcTimestamp::new(seconds, nanoseconds).ok()
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some((Text(name), value)) =
                    map.next_entry::<Text<'de>, &'de RawValue>()?
                {
                    if members.len() == MEMBERS_MAX {
                        return Err(M::Error::custom("too many members"));
                    }
                    if members.iter().any(|(found, _)| *found == name) {
                        return Err(M::Error::custom("a member twice"));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Members of one object that are compared with one another: as many as the bounds allow.
const MEMBERS_MAX: usize = crate::BOUNDS.members_max;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_names_a_member_twice_is_none() {
        assert!(Members::read(r#"{"a":1,"\u0061":2}"#).is_err());
        assert!(Members::read("[1]").is_err());
        let deep = format!(r#"{{"a":{}{},"b":1}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(Members::read(&deep).unwrap().integer("b"), Some(1));
    }

    #[test]
    fn times_end_with_the_year_9999() {
        assert_eq!(moment(0).unwrap(), UtcTimestamp::EPOCH);
        assert_eq!(moment(MILLISECONDS_MAX).unwrap().to_string(), "9999-12-31T23:59:59.999000000Z");
        assert!(moment(MILLISECONDS_MAX + 1).is_none() && moment(u64::MAX).is_none());
    }
}
