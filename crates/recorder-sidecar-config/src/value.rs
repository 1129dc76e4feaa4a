//! The file as written: TOML → one value for each setting, and every name or kind that does not fit.
//!
//! TOML itself refuses a key that stands twice. What the values mean together is checked in `config`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use crate::key::{Key, Kind, Literal, Preset};
use crate::problem::Problem;

/// A value of a setting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Value {
    /// Text, a path or a word.
    Text(String),
    /// A whole number.
    Integer(u64),
    /// `true` or `false`.
    Boolean(bool),
}

impl From<Literal> for Value {
    fn from(literal: Literal) -> Self {
        match literal {
            Literal::Text(text) => Self::Text(text.to_owned()),
            Literal::Integer(value) => Self::Integer(value),
            Literal::Boolean(value) => Self::Boolean(value),
        }
    }
}

/// The settings that a file holds, each of its kind and in its range.
#[derive(Debug, Default)]
pub(crate) struct Values {
    given: BTreeMap<Key, (Value, usize)>,
    /// Everything that is wrong so far.
    pub(crate) problems: Vec<Problem>,
}

impl Values {
    /// Reads the text of a file; what is wrong with it is in `problems`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut values = Self::default();
        match DeTable::parse(text) {
            Ok(table) => values.collect(text, "", table.get_ref()),
            Err(error) => {
                let line = error.span().map(|span| line_of(text, span.start));
                let detail = format!("not TOML: {}", error.message());
                values.problems.push(Problem { path: "file".to_owned(), line, detail });
                return values;
            }
        }
        for key in Key::ALL {
            if matches!(key.spec().preset, Preset::Required { .. })
                && !values.given.contains_key(key)
            {
                values.problem(*key, "is missing; it must be set");
            }
        }
        values
    }

    /// Takes note of what is wrong with a setting.
    pub(crate) fn problem(&mut self, key: Key, detail: impl Into<String>) {
        let line = self.given.get(&key).map(|(_, line)| *line);
        self.problems.push(Problem { path: key.name().to_owned(), line, detail: detail.into() });
    }

    /// Whether the file sets it.
    pub(crate) fn is_given(&self, key: Key) -> bool {
        self.given.contains_key(&key)
    }

    /// The value given, else the default, else nothing.
    pub(crate) fn value(&self, key: Key) -> Option<Value> {
        let given = self.given.get(&key).map(|(value, _)| value.clone());
        given.or_else(|| match key.spec().preset {
            Preset::Value(literal) => Some(literal.into()),
            Preset::Required { .. } | Preset::Absent { .. } => None,
        })
    }

    /// The text of a setting; empty where it has none.
    pub(crate) fn text(&self, key: Key) -> String {
        self.optional_text(key).unwrap_or_default()
    }

    /// The text of a setting that may be absent.
    pub(crate) fn optional_text(&self, key: Key) -> Option<String> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number of a setting, which has a default.
    pub(crate) fn integer(&self, key: Key) -> u64 {
        match self.value(key) {
            Some(Value::Integer(value)) => value,
            _ => 0,
        }
    }

    /// Whether a switch, which has a default, is on.
    pub(crate) fn boolean(&self, key: Key) -> bool {
        matches!(self.value(key), Some(Value::Boolean(true)))
    }

    fn collect(&mut self, text: &str, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let name: &Cow<'_, str> = name.get_ref();
            let full = format!("{prefix}{name}");
            let line = line_of(text, value.span().start);
            let inner = format!("{full}.");
            let is_table = Key::ALL.iter().any(|key| key.name().starts_with(&inner));
            match (Key::by_name(&full), value.get_ref()) {
                (Some(key), value) => self.take(key, value, line),
                (None, DeValue::Table(table)) if is_table => self.collect(text, &inner, table),
                (None, _) if is_table => {
                    self.push(&full, line, "is a table of settings, not a value".to_owned())
                }
                (None, _) => self.push(&full, line, unknown(prefix, &full)),
            }
        }
    }

    fn push(&mut self, path: &str, line: usize, detail: String) {
        self.problems.push(Problem { path: path.to_owned(), line: Some(line), detail });
    }

    fn take(&mut self, key: Key, value: &DeValue<'_>, line: usize) {
        match checked(key.spec().kind, value) {
            Ok(value) => drop(self.given.insert(key, (value, line))),
            Err(detail) => self.push(key.name(), line, detail),
        }
    }
}

/// The value, if it is one of that kind.
fn checked(kind: Kind, value: &DeValue<'_>) -> Result<Value, String> {
    match (kind, value) {
        (Kind::Text | Kind::Path, DeValue::String(text)) if text.is_empty() => {
            Err("must not be empty; leave the key out instead".to_owned())
        }
        (Kind::Path, DeValue::String(text)) if text.contains('\0') => {
            Err("holds a zero byte".to_owned())
        }
        (Kind::Text | Kind::Path, DeValue::String(text)) => {
            Ok(Value::Text(text.clone().into_owned()))
        }
        (Kind::Boolean, DeValue::Boolean(value)) => Ok(Value::Boolean(*value)),
        (Kind::Choice(words), DeValue::String(word)) if words.contains(&&**word) => {
            Ok(Value::Text(word.clone().into_owned()))
        }
        (Kind::Integer { min, max }, DeValue::Integer(integer)) => {
            let value = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
            let inside = value.filter(|value| (min..=max).contains(value));
            inside.map(Value::Integer).ok_or_else(|| format!("must be {}", range(min, max)))
        }
        (kind, _) => Err(format!("must be {}", expected(kind))),
    }
}

fn range(min: u64, max: u64) -> String {
    if min == max { format!("{min}") } else { format!("between {min} and {max}") }
}

fn expected(kind: Kind) -> String {
    match kind {
        Kind::Text => "a string".to_owned(),
        Kind::Path => "a string, the path of a file".to_owned(),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Integer { min, max } => format!("a whole number, {}", range(min, max)),
        Kind::Choice(words) => {
            let quoted: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
            format!("one of {}", quoted.join(", "))
        }
    }
}

/// Says what was probably meant: a name of this table first, then the same name in another, then any.
fn unknown(prefix: &str, full: &str) -> String {
    let here: BTreeSet<&str> = Key::ALL
        .iter()
        .filter_map(|key| key.name().strip_prefix(prefix))
        .map(|rest| rest.split('.').next().unwrap_or(rest))
        .collect();
    let last = full.strip_prefix(prefix).unwrap_or(full);
    let near = nearest(last, here).map(|name| format!("{prefix}{name}"));
    let elsewhere =
        || Key::ALL.iter().find(|key| key.leaf() == last).map(|key| key.name().to_owned());
    let any = || nearest(full, Key::ALL.iter().map(|key| key.name())).map(str::to_owned);
    match near.or_else(elsewhere).or_else(any) {
        Some(near) => format!("is not a setting; did you mean {near}?"),
        None => "is not a setting; remove it".to_owned(),
    }
}

fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing costs the product of the lengths, and a name may be as long as the file.
    let name: String = name.chars().take(64).collect();
    let near = candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3));
    near.min().map(|(_, candidate)| candidate)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
