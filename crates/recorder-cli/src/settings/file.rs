//! A configuration file as written: TOML or JSON by its name, at most 1 MiB, no key that is not known.
//!
//! What the values mean, and which source wins, is decided in `settings`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use recorder_core::limits::CONFIG_BYTES_MAX;
use recorder_envelope::json::{self, JsonLimits};
use recorder_fs::FileError;
use toml::de::{DeTable, DeValue};

use super::SettingsError;
use super::key::{Key, nearest};

/// A value of one of the three kinds that settings have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Value {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(u64),
    /// `true` or `false`.
    Boolean(bool),
}

/// A value and the line of the file that it stands on, where that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Written {
    /// The value.
    pub(crate) value: Value,
    /// Counted from 1.
    pub(crate) line: Option<usize>,
}

/// What stands in a file, before keys are looked at.
enum Node {
    Table(Vec<(String, Option<usize>, Node)>),
    Value(Value),
    /// A kind that no setting has.
    Other(&'static str),
}

/// Reads the settings that a file holds.
///
/// # Errors
///
/// `SettingsError` names the place of what is wrong.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<Key, Written>, SettingsError> {
    let bytes = recorder_fs::read_bounded(path, CONFIG_BYTES_MAX).map_err(SettingsError::File)?;
    let root = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => parse_toml(path, &bytes)?,
        Some("json") => parse_json(path, &bytes)?,
        _ => return Err(SettingsError::UnknownFormat { path: path.to_path_buf() }),
    };
    let mut settings = BTreeMap::new();
    collect(path, "", root, &mut settings)?;
    Ok(settings)
}

/// Reads a file if there is one.
///
/// # Errors
///
/// As `read`; a file that is there and cannot be read is an error, not an absence.
pub(crate) fn read_if_present(
    path: &Path,
) -> Result<Option<BTreeMap<Key, Written>>, SettingsError> {
    match read(path) {
        Ok(settings) => Ok(Some(settings)),
        Err(SettingsError::File(FileError::NotFound { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bytes of a file in which a setting that it has, a text, has another value. Nothing else changes: not a blank,
/// not a comment.
///
/// `None` where that cannot be done: the file is JSON, or does not have the setting.
///
/// # Errors
///
/// As `read`.
pub(crate) fn with_text(
    path: &Path,
    key: Key,
    text: &str,
) -> Result<Option<Vec<u8>>, SettingsError> {
    let before = read(path)?;
    let mut bytes =
        recorder_fs::read_bounded(path, CONFIG_BYTES_MAX).map_err(SettingsError::File)?;
    let Some(span) = span_of(&bytes, key) else { return Ok(None) };
    bytes.splice(span, toml::Value::String(text.to_owned()).to_string().into_bytes());
    let mut after = BTreeMap::new();
    collect(path, "", parse_toml(path, &bytes)?, &mut after)?;
    let mut wanted: BTreeMap<_, _> = before.into_iter().map(|(key, it)| (key, it.value)).collect();
    wanted.insert(key, Value::Text(text.to_owned()));
    let after: BTreeMap<_, _> = after.into_iter().map(|(key, it)| (key, it.value)).collect();
    Ok((after == wanted).then_some(bytes))
}

/// Where the value of a setting stands in TOML.
fn span_of(bytes: &[u8], key: Key) -> Option<std::ops::Range<usize>> {
    let table = DeTable::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    let mut names = key.name().split('.');
    let mut value = table.get_ref().get(names.next()?)?;
    for name in names {
        let DeValue::Table(inner) = value.get_ref() else { return None };
        value = inner.get(name)?;
    }
    Some(value.span())
}

fn parse_toml(path: &Path, bytes: &[u8]) -> Result<Node, SettingsError> {
    let text = std::str::from_utf8(bytes).map_err(|error| SettingsError::Syntax {
        place: place(path, Some(line_of(bytes, error.valid_up_to()))),
        detail: "not UTF-8".to_owned(),
    })?;
    let table = DeTable::parse(text).map_err(|error| SettingsError::Syntax {
        place: place(path, error.span().map(|span| line_of(bytes, span.start))),
        detail: error.message().to_owned(),
    })?;
    Ok(toml_table(bytes, table.get_ref()))
}

fn toml_table(bytes: &[u8], table: &DeTable<'_>) -> Node {
    let member = |(name, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = name.get_ref();
        (
            name.clone().into_owned(),
            Some(line_of(bytes, value.span().start)),
            toml_node(bytes, value.get_ref()),
        )
    };
    Node::Table(table.iter().map(member).collect())
}

fn toml_node(bytes: &[u8], value: &DeValue<'_>) -> Node {
    match value {
        DeValue::String(text) => Node::Value(Value::Text(text.clone().into_owned())),
        DeValue::Boolean(value) => Node::Value(Value::Boolean(*value)),
        DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Node::Other("a negative or too large integer"), |value| {
                Node::Value(Value::Integer(value))
            }),
        DeValue::Table(table) => toml_table(bytes, table),
        DeValue::Float(_) => Node::Other("a fraction"),
        DeValue::Datetime(_) => Node::Other("a date"),
        DeValue::Array(_) => Node::Other("an array"),
    }
}

fn parse_json(path: &Path, bytes: &[u8]) -> Result<Node, SettingsError> {
    let value: serde_json::Value =
        json::from_strict(bytes, &JsonLimits::PAYLOAD).map_err(|error| SettingsError::Syntax {
            place: place(path, None),
            detail: error.to_string(),
        })?;
    match json_node(value) {
        table @ Node::Table(_) => Ok(table),
        _ => Err(SettingsError::Syntax {
            place: place(path, None),
            detail: "not an object".to_owned(),
        }),
    }
}

fn json_node(value: serde_json::Value) -> Node {
    match value {
        serde_json::Value::String(text) => Node::Value(Value::Text(text)),
        serde_json::Value::Bool(value) => Node::Value(Value::Boolean(value)),
        serde_json::Value::Number(number) => {
            number.as_u64().map_or(Node::Other("a negative number or a fraction"), |value| {
                Node::Value(Value::Integer(value))
            })
        }
        serde_json::Value::Object(members) => Node::Table(
            members.into_iter().map(|(name, value)| (name, None, json_node(value))).collect(),
        ),
        serde_json::Value::Array(_) => Node::Other("an array"),
        serde_json::Value::Null => Node::Other("null"),
    }
}

/// Takes the members of the table called `prefix` (empty, or ended by a dot).
fn collect(
    path: &Path,
    prefix: &str,
    table: Node,
    settings: &mut BTreeMap<Key, Written>,
) -> Result<(), SettingsError> {
    let Node::Table(members) = table else {
        return Ok(());
    };
    for (name, line, node) in members {
        let full = format!("{prefix}{name}");
        let inner = format!("{full}.");
        let is_table = Key::ALL.iter().any(|key| key.name().starts_with(&inner));
        match (Key::by_name(&full), node) {
            (Some(key), Node::Value(value)) => {
                settings.insert(key, Written { value, line });
            }
            (None, table @ Node::Table(_)) if is_table => {
                collect(path, &inner, table, settings)?;
            }
            (key, node) if key.is_some() || is_table => {
                return Err(SettingsError::WrongKind {
                    place: place(path, line),
                    key: full,
                    expected: if is_table { "a table" } else { "a plain value" },
                    found: kind(&node),
                });
            }
            _ => return Err(unknown(path, prefix, full, line)),
        }
    }
    Ok(())
}

fn kind(node: &Node) -> &'static str {
    match node {
        Node::Table(_) => "a table",
        Node::Value(Value::Text(_)) => "a string",
        Node::Value(Value::Integer(_)) => "a number",
        Node::Value(Value::Boolean(_)) => "true or false",
        Node::Other(kind) => kind,
    }
}

fn unknown(path: &Path, prefix: &str, key: String, line: Option<usize>) -> SettingsError {
    // Names of this table first; then any, for a key that stands at the wrong level.
    let here: BTreeSet<&str> = Key::ALL
        .iter()
        .filter_map(|key| key.name().strip_prefix(prefix))
        .map(|rest| rest.split('.').next().unwrap_or(rest))
        .collect();
    let last = key.strip_prefix(prefix).unwrap_or(&key);
    let near = nearest(last, here).map(|name| format!("{prefix}{name}")).or_else(|| {
        let whole = |wanted: &Key| wanted.name().rsplit('.').next() == Some(last);
        Key::ALL.iter().find(|key| whole(key)).map(|key| key.name().to_owned())
    });
    let near = near.or_else(|| nearest(&key, Key::ALL.map(Key::name)).map(str::to_owned));
    SettingsError::UnknownKey { place: place(path, line), key, nearest: near }
}

fn place(path: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{}:{line}", path.display()),
        None => path.display().to_string(),
    }
}

fn line_of(bytes: &[u8], offset: usize) -> usize {
    1 + bytes.iter().take(offset).filter(|byte| **byte == b'\n').count()
}
