//! Media types: which a request may have, and which of those that a route gives its sender accepts.
//!
//! Strict on purpose: a type that is nearly JSON is refused, since two readers could take it for two things.

/// A media type that is spoken here.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Media {
    /// `application/json`.
    Json,
    /// `application/x-protobuf`, as OTLP has it.
    Protobuf,
    /// `application/zip`, a bundle's archive.
    Zip,
    /// `text/plain; version=0.0.4`, the metrics of Prometheus.
    Metrics,
}

impl Media {
    /// Type and subtype.
    pub const fn essence(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/x-protobuf",
            Self::Zip => "application/zip",
            Self::Metrics => "text/plain",
        }
    }

    /// The whole value of `Content-Type` in answers.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/x-protobuf",
            Self::Zip => "application/zip",
            Self::Metrics => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Which of `taken` a `Content-Type` names; none where it names another, or has any parameter but `charset=utf-8`.
pub fn of_request(content_type: &str, taken: &[Media]) -> Option<Media> {
    let mut parts = content_type.split(';').map(trim);
    let essence = parts.next()?;
    let media =
        taken.iter().copied().find(|media| media.essence().eq_ignore_ascii_case(essence))?;
    let charset = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let is_utf8 =
            value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("\"utf-8\"");
        (media == Media::Json && name.eq_ignore_ascii_case("charset") && is_utf8).then_some(())
    };
    match (parts.next(), parts.next()) {
        (None, _) => Some(media),
        (Some(part), None) => charset(part).map(|()| media),
        (Some(_), Some(_)) => None,
    }
}

/// Which of `given` an `Accept` prefers; the first of those that it likes equally. None where it accepts none of
/// them, or is not of the form of RFC 9110.
pub fn accepted(accept: Option<&str>, given: &[Media]) -> Option<Media> {
    let Some(accept) = accept else { return given.first().copied() };
    let ranges: Vec<Range<'_>> = accept
        .split(',')
        .map(trim)
        .filter(|range| !range.is_empty())
        .map(range)
        .collect::<Option<_>>()?;
    if ranges.is_empty() {
        // An empty list accepts everything (RFC 9110 §12.5.1).
        return given.first().copied();
    }
    let mut best = None;
    for media in given {
        // The most specific range that matches decides, whatever the others say.
        let matching = ranges.iter().filter(|range| range.specificity(*media) > 0);
        let quality =
            matching.max_by_key(|range| range.specificity(*media)).map_or(0, |range| range.quality);
        if quality > best.map_or(0, |(_, quality)| quality) {
            best = Some((*media, quality));
        }
    }
    best.map(|(media, _)| media)
}

/// One range of an `Accept`, and its quality in thousandths.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: u16,
}

impl Range<'_> {
    /// How closely it names `media`: 0 not at all, 3 exactly.
    fn specificity(&self, media: Media) -> u8 {
        let (kind, subtype) = media.essence().split_once('/').unwrap_or_default();
        let same_kind = self.kind.eq_ignore_ascii_case(kind);
        match (self.kind, self.subtype) {
            ("*", _) => 1,
            (_, "*") if same_kind => 2,
            (_, named) if same_kind && named.eq_ignore_ascii_case(subtype) => 3,
            _ => 0,
        }
    }
}

fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';').map(trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let is_range = |part: &str| part == "*" || is_token(part);
    if !is_range(kind) || !is_range(subtype) || (kind == "*" && subtype != "*") {
        return None;
    }
    let mut quality = 1000;
    for part in parts {
        let (name, value) = part.split_once('=')?;
        match name {
            "q" | "Q" => quality = thousandths(value)?,
            // The answers have no parameters that a client could choose by; those of the metrics are fixed.
            name if name.eq_ignore_ascii_case("charset") && value.eq_ignore_ascii_case("utf-8") => {
            }
            name if name.eq_ignore_ascii_case("version") && value == "0.0.4" => {}
            name if is_token(name) && is_token(value) => quality = 0,
            _ => return None,
        }
    }
    Some(Range { kind, subtype, quality })
}

/// `0` to `1` with at most three digits after the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// Removes optional white space: spaces and tabs, nothing else.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Whether a text is a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_json_with_no_parameter_but_its_charset() {
        for taken in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert_eq!(of_request(taken, &[Media::Json]), Some(Media::Json), "{taken}");
        }
        for refused in [
            "",
            "text/json",
            "application/json; charset=latin-1",
            "application/json; charset=utf-8; charset=utf-8",
            "application/json;",
            "application/json; x=y",
            "application/json, application/json",
            "application/problem+json",
            "application/zip",
            "application/json\u{b}",
        ] {
            assert_eq!(of_request(refused, &[Media::Json]), None, "{refused}");
        }
    }

    #[test]
    fn protobuf_has_no_charset() {
        let taken = [Media::Json, Media::Protobuf];
        assert_eq!(of_request("application/x-protobuf", &taken), Some(Media::Protobuf));
        assert_eq!(of_request("application/json; charset=utf-8", &taken), Some(Media::Json));
        for refused in ["application/x-protobuf; charset=utf-8", "application/protobuf"] {
            assert_eq!(of_request(refused, &taken), None, "{refused}");
        }
    }

    #[test]
    fn an_answer_is_what_its_reader_likes_best() {
        use Media::{Json, Zip};
        for (accept, chosen) in [
            (None, Some(Json)),
            (Some(""), Some(Json)),
            (Some("*/*"), Some(Json)),
            (Some("application/*"), Some(Json)),
            (Some("application/zip"), Some(Zip)),
            (Some("application/zip, */*"), Some(Json)),
            (Some("application/json;q=0.5, application/zip"), Some(Zip)),
            (Some("application/json;q=0, */*"), Some(Zip)),
            (Some("application/json; charset=utf-8"), Some(Json)),
            (Some("text/html, application/zip;q=0.001"), Some(Zip)),
            (Some("text/html"), None),
            (Some("application/json;q=0, application/zip;q=0"), None),
            (Some("application/json; q=2"), None),
            (Some("application/json; q=0.1234"), None),
            (Some("application"), None),
            (Some("*/json"), None),
            (Some("application/json; profile=x"), None),
        ] {
            assert_eq!(accepted(accept, &[Json, Zip]), chosen, "{accept:?}");
        }
    }
}
