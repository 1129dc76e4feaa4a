//! The document that is ingested: a fixture, or a transcript in one of the source's own forms.
//!
//! A fixture is versioned and may carry a runpack. The native forms are a list of exchanges, a report that
//! holds one, and JSON Lines. Nothing but the frame is read here: exchanges and artifacts stay texts.

use std::borrow::Cow;

use base64::Engine as _;
use recorder_envelope::adapter::Anomaly;

use crate::finding::Code;
use crate::json::{Node, PARTS_MAX, split_first, split_list, split_object};
use crate::runpack::Runpack;

/// Bytes of a document, refused before any of it is read.
pub const DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// The version of fixtures that is known.
const FIXTURE_VERSION: &str = "v1";

/// What refuses a document as a whole.
pub(crate) const TOO_LARGE: &str = "fixture_too_large";
pub(crate) const INVALID: &str = "fixture_invalid";

/// What the capture says of its source.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Source {
    pub(crate) product: String,
    pub(crate) product_version: Option<String>,
    pub(crate) transport: Option<String>,
}

/// A document, its frame read.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    pub(crate) source: Option<Source>,
    pub(crate) exchanges: Vec<&'a str>,
    pub(crate) runpack: Option<Runpack<'a>>,
}

/// Reads the frame.
///
/// # Errors
///
/// The one anomaly for which nothing of the document can be told.
pub(crate) fn read(bytes: &[u8]) -> Result<Document<'_>, Anomaly> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        let detail = format!("{} bytes, and at most {DOCUMENT_BYTES_MAX} are read", bytes.len());
        return Err(Anomaly::new(TOO_LARGE, "document", detail));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        invalid("document", format!("not UTF-8 at byte {}", error.valid_up_to()))
    })?;
    if text.starts_with('\u{feff}') {
        return Err(invalid("document", "begins with a byte order mark"));
    }
    if text.trim_start().starts_with('[') {
        return Ok(native(split_list(text).map_err(|fault| invalid("document", fault))?));
    }
    let (first, rest) = split_first(text).map_err(|fault| invalid("document", fault))?;
    if rest.trim().is_empty() { one_object(first) } else { lines(text) }
}

fn invalid(path: &str, detail: impl std::fmt::Display) -> Anomaly {
    Anomaly::new(INVALID, path, detail)
}

fn native(exchanges: Vec<&str>) -> Document<'_> {
    Document { source: None, exchanges, runpack: None }
}

fn lines(text: &str) -> Result<Document<'_>, Anomaly> {
    let mut exchanges = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let path = format!("line {}", index + 1);
        if exchanges.len() == PARTS_MAX {
            return Err(invalid(&path, "too many lines"));
        }
        split_object(line).map_err(|fault| invalid(&path, fault))?;
        exchanges.push(line);
    }
    Ok(native(exchanges))
}

/// The members of a frame.
type Members<'a> = Vec<(Cow<'a, str>, &'a str)>;

fn member<'a>(members: &Members<'a>, name: &str) -> Option<&'a str> {
    members.iter().find(|(found, _)| found == name).map(|(_, text)| *text)
}

fn one_object(text: &str) -> Result<Document<'_>, Anomaly> {
    let members = split_object(text).map_err(|fault| invalid("document", fault))?;
    let has = |name: &str| member(&members, name).is_some();
    let is_fixture = has("fixture_version") || has("runpack") || has("source");
    if !is_fixture && has("request") {
        return Ok(native(vec![text]));
    }
    match member(&members, "transcript") {
        // The source's own report: the transcript stands among other members.
        Some(transcript) if !is_fixture && has("spec") => {
            Ok(native(split_list(transcript).map_err(|fault| invalid("transcript", fault))?))
        }
        _ => fixture(&members),
    }
}

fn fixture<'a>(members: &Members<'a>) -> Result<Document<'a>, Anomaly> {
    let version = member(members, "fixture_version").map(parse_text).transpose();
    let version = version.ok().flatten();
    if version.as_deref() != Some(FIXTURE_VERSION) {
        let code = Code::FixtureVersionUnsupported;
        return Err(Anomaly::new(code.name(), "fixture_version", code.meaning()));
    }
    only(members, &["fixture_version", "runpack", "source", "transcript"], "document")?;
    let transcript =
        member(members, "transcript").ok_or_else(|| invalid("transcript", "there is none"))?;
    let exchanges = split_list(transcript).map_err(|fault| invalid("transcript", fault))?;
    let source = member(members, "source").map(read_source).transpose()?;
    let runpack = match member(members, "runpack") {
        None | Some("null") => None,
        Some(text) => Some(read_runpack(text)?),
    };
    Ok(Document { source, exchanges, runpack })
}

fn only(members: &Members<'_>, known: &[&str], path: &str) -> Result<(), Anomaly> {
    match members.iter().any(|(name, _)| !known.contains(&name.as_ref())) {
        true => Err(invalid(path, "holds a member that its version does not know")),
        false => Ok(()),
    }
}

fn parse_text(text: &str) -> Result<Cow<'_, str>, Anomaly> {
    match Node::parse(text) {
        Ok(Node::Text(text)) => Ok(text),
        _ => Err(invalid("document", "holds something else where a text belongs")),
    }
}

fn read_source(text: &str) -> Result<Source, Anomaly> {
    let node = Node::parse(text).map_err(|fault| invalid("source", fault))?;
    let known = ["product", "product_version", "transport"];
    if node.members().iter().any(|(name, _)| !known.contains(&name.as_ref())) {
        return Err(invalid("source", "holds a member that its version does not know"));
    }
    let given = |name: &str| node.text_of(name).map(str::to_owned);
    Ok(Source {
        product: given("product").ok_or_else(|| invalid("source", "names no product"))?,
        product_version: given("product_version"),
        transport: given("transport"),
    })
}

fn read_runpack(text: &str) -> Result<Runpack<'_>, Anomaly> {
    let members = split_object(text).map_err(|fault| invalid("runpack", fault))?;
    only(&members, &["artifacts", "manifest"], "runpack")?;
    let manifest = match member(&members, "manifest") {
        None | Some("null") => None,
        Some(text) => Some(read_file(text, "runpack/manifest")?),
    };
    let mut runpack = Runpack { manifest, ..Runpack::default() };
    let artifacts = member(&members, "artifacts").unwrap_or("{}");
    let artifacts = split_object(artifacts).map_err(|fault| invalid("runpack/artifacts", fault))?;
    for (index, (path, text)) in artifacts.into_iter().enumerate() {
        let place = format!("runpack/artifacts/{index}");
        if !crate::check::manifest::is_safe(&path) {
            let detail = "a file is carried under a path outside the runpack";
            return Err(Anomaly::new(Code::PathUnsafe.name(), place, detail));
        }
        runpack.files.insert(path.into_owned(), read_file(text, &place)?);
    }
    Ok(runpack)
}

/// A file as a fixture carries it: `{"encoding":"utf-8"|"base64","content":…}`.
fn read_file<'a>(text: &'a str, path: &str) -> Result<Cow<'a, [u8]>, Anomaly> {
    let members = split_object(text).map_err(|fault| invalid(path, fault))?;
    only(&members, &["content", "encoding"], path)?;
    let given = |name: &str| member(&members, name).map(parse_text).transpose();
    let content = given("content")?.ok_or_else(|| invalid(path, "has no content"))?;
    match given("encoding")?.as_deref() {
        Some("utf-8") => Ok(match content {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }),
        Some("base64") => base64::engine::general_purpose::STANDARD
            .decode(content.as_bytes())
            .map(Cow::Owned)
            .map_err(|_| invalid(path, "is no base64")),
        _ => Err(invalid(path, "has no encoding that is known")),
    }
}
