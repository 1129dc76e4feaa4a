//! The head of a request (RFC 9112 §2 to §6): one spelling, one meaning.

use recorder_sidecar_api::header::{IDEMPOTENCY_KEY, SINGLE};
use recorder_sidecar_api::problem::Code;

use super::Refusal;

/// Headers of a request: what the parser behind has room for.
const HEADERS_MAX: usize = 96;

/// Digits of a length: more than any body that is taken.
const LENGTH_DIGITS_MAX: usize = 15;

/// How the body of a request is delimited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// By its length.
    Sized(u64),
    /// By chunks.
    Chunked,
}

/// The length of the head that `bytes` begin with, if its end is there; nothing ends before `scanned`.
pub(super) fn end(bytes: &[u8], scanned: usize) -> Result<Option<usize>, &'static str> {
    for (index, byte) in bytes.iter().enumerate().skip(scanned) {
        if *byte != b'\n' {
            continue;
        }
        match &bytes[..=index] {
            [.., b'\r', b'\n', b'\r', b'\n'] | [b'\r', b'\n'] => return Ok(Some(index + 1)),
            [.., b'\r', b'\n'] => {}
            _ => return Err("a line of the head does not end in CR LF"),
        }
    }
    Ok(None)
}

fn refused<T>(code: Code, detail: &'static str) -> Result<T, Refusal> {
    Err(Refusal { code, detail })
}

/// How the body after `head` is delimited, if the head has one meaning.
pub(super) fn judge(head: &[u8]) -> Result<Framing, Refusal> {
    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or_default();
    let mut lines = split_lines(text);
    check_request_line(lines.next().unwrap_or_default())?;
    let mut seen = [false; SINGLE.len()];
    let (mut length, mut is_chunked) = (None, false);
    for (index, line) in lines.enumerate() {
        if index == HEADERS_MAX {
            return refused(Code::HeaderTooLarge, "the head has more than 96 headers");
        }
        let (name, value) = field(line)?;
        let Some(place) =
            SINGLE.iter().position(|single| single.as_bytes().eq_ignore_ascii_case(name))
        else {
            continue;
        };
        if std::mem::replace(&mut seen[place], true) {
            return repeated(SINGLE[place]);
        }
        match SINGLE[place] {
            "host" if value.is_empty() || !value.iter().all(is_host) => {
                return refused(Code::BadRequest, "Host is not a host");
            }
            "content-length" => length = Some(content_length(value)?),
            "transfer-encoding" if value.eq_ignore_ascii_case(b"chunked") => is_chunked = true,
            "transfer-encoding" => {
                return refused(Code::ContentLengthInvalid, "Transfer-Encoding is not chunked");
            }
            _ => {}
        }
    }
    if !seen[0] {
        return refused(Code::BadRequest, "there is no Host");
    }
    match (length, is_chunked) {
        (Some(_), true) => {
            refused(Code::ContentLengthInvalid, "there are Content-Length and Transfer-Encoding")
        }
        (None, true) => Ok(Framing::Chunked),
        (None | Some(0), false) => Ok(Framing::None),
        (Some(length), false) => Ok(Framing::Sized(length)),
    }
}

/// Which code a header that stands twice has.
fn repeated<T>(name: &'static str) -> Result<T, Refusal> {
    match name {
        "content-length" | "transfer-encoding" => {
            refused(Code::ContentLengthInvalid, "the length of the body is stated twice")
        }
        IDEMPOTENCY_KEY => refused(Code::IdempotencyKeyInvalid, "there are two idempotency keys"),
        _ => refused(Code::BadRequest, "a header that may stand once stands twice"),
    }
}

fn split_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    // Every LF stands after a CR here, and a CR alone is refused with its line.
    text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn check_request_line(line: &[u8]) -> Result<(), Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let is_method = method
        .is_some_and(|method| !method.is_empty() && method.iter().all(u8::is_ascii_uppercase));
    let is_target =
        target.is_some_and(|target| target.starts_with(b"/") && is_path_and_query(target));
    if !is_method || !is_target || parts.next().is_some() {
        return refused(Code::BadRequest, "the request line is not METHOD /PATH HTTP/1.1");
    }
    match version {
        Some(b"HTTP/1.1") => Ok(()),
        _ => refused(Code::BadRequest, "the version is not HTTP/1.1"),
    }
}

/// Whether nothing stands in a target but what a path and a query may hold (RFC 3986 §3.3, §3.4).
fn is_path_and_query(target: &[u8]) -> bool {
    let mut rest = target;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            [byte, rest @ ..]
                if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(byte) =>
            {
                rest
            }
            _ => return false,
        };
    }
}

/// Name and value of a header.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return refused(Code::BadRequest, "a header has no colon");
    };
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if name.is_empty() || !name.iter().all(is_token) {
        // A folded line begins with white space, and so has no name.
        return refused(Code::BadRequest, "the name of a header is not a token");
    }
    let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    if !line[colon + 1..].iter().all(is_text) {
        return refused(
            Code::BadRequest,
            "a header's value holds other than visible ASCII and spaces",
        );
    }
    Ok((name, value))
}

fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    let is_plain = (1..=LENGTH_DIGITS_MAX).contains(&value.len())
        && value.iter().all(u8::is_ascii_digit)
        && (value == b"0" || value[0] != b'0');
    let length = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
    match length {
        Some(length) if is_plain => Ok(length),
        _ => refused(Code::ContentLengthInvalid, "Content-Length is not a number"),
    }
}

fn is_host(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(head: &str) -> Result<Framing, Code> {
        let head = head.as_bytes();
        match end(head, 0) {
            Ok(Some(length)) => judge(&head[..length]).map_err(|refusal| refusal.code),
            Ok(None) => panic!("{head:?} has no end"),
            Err(_) => Err(Code::BadRequest),
        }
    }

    #[test]
    fn a_plain_head_says_how_its_body_is_delimited() {
        let head = |headers: &str| {
            judged(&format!("POST /v1/envelopes?x=1 HTTP/1.1\r\nHost: a:1\r\n{headers}\r\n"))
        };
        assert_eq!(head(""), Ok(Framing::None));
        assert_eq!(head("Content-Length: 0\r\n"), Ok(Framing::None));
        assert_eq!(head("content-length:17\r\nAccept: */*\r\n"), Ok(Framing::Sized(17)));
        assert_eq!(head("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
        assert_eq!(head("X-Twice: 1\r\nX-Twice: 2\r\n"), Ok(Framing::None));
    }

    #[test]
    fn a_head_that_two_readers_could_take_for_two_requests_is_refused() {
        use Code::{BadRequest, ContentLengthInvalid, IdempotencyKeyInvalid};
        for (headers, code) in [
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", ContentLengthInvalid),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", ContentLengthInvalid),
            ("Content-Length: 5, 5\r\n", ContentLengthInvalid),
            ("Content-Length: +5\r\n", ContentLengthInvalid),
            ("Content-Length: 05\r\n", ContentLengthInvalid),
            ("Content-Length: 0x5\r\n", ContentLengthInvalid),
            ("Content-Length: 5 5\r\n", ContentLengthInvalid),
            ("Content-Length:\r\n", ContentLengthInvalid),
            ("Content-Length: 99999999999999999999\r\n", ContentLengthInvalid),
            ("Transfer-Encoding: gzip, chunked\r\n", ContentLengthInvalid),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ContentLengthInvalid),
            ("Transfer-Encoding: identity\r\n", ContentLengthInvalid),
            ("Host: b\r\n", BadRequest),
            ("Authorization: Bearer a\r\nauthorization: Bearer b\r\n", BadRequest),
            ("Content-Type: application/json\r\nContent-Type: application/json\r\n", BadRequest),
            ("Idempotency-Key: a\r\nIdempotency-Key: a\r\n", IdempotencyKeyInvalid),
            ("X: a\r\n folded\r\n", BadRequest),
            ("X: a\r\n\tfolded\r\n", BadRequest),
            ("X : a\r\n", BadRequest),
            (": a\r\n", BadRequest),
            ("X\r\n", BadRequest),
            ("X: a\nY: b\r\n", BadRequest),
            ("X: a\rY: b\r\n", BadRequest),
            ("X: a\0\r\n", BadRequest),
            ("X: é\r\n", BadRequest),
        ] {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
            assert_eq!(judged(&head), Err(code), "{headers:?}");
        }
    }

    #[test]
    fn a_request_line_is_method_path_and_version() {
        for line in [
            "GET / HTTP/1.0",
            "GET / HTTP/2.0",
            "GET  / HTTP/1.1",
            "GET /  HTTP/1.1",
            "get / HTTP/1.1",
            "GET http://a/ HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "GET /a b HTTP/1.1",
            "GET /\t HTTP/1.1",
            "GET /#x HTTP/1.1",
            "GET /<x> HTTP/1.1",
            "GET /{x} HTTP/1.1",
            "GET /a\\b HTTP/1.1",
            "GET /?a=\"b\" HTTP/1.1",
            "GET /% HTTP/1.1",
            "GET /%4 HTTP/1.1",
            "GET /%4g HTTP/1.1",
            "GET ?a=b HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "GET /é HTTP/1.1",
            "PRI * HTTP/2.0",
            "GET",
            "",
            "G@T / HTTP/1.1",
            "GET / http/1.1",
        ] {
            assert_eq!(
                judged(&format!("{line}\r\nHost: a\r\n\r\n")).map(drop),
                Err(Code::BadRequest),
                "{line:?}"
            );
        }
        for host in ["", "Host:\r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host: user@a\r\n"] {
            assert_eq!(
                judged(&format!("GET / HTTP/1.1\r\n{host}\r\n")).map(drop),
                Err(Code::BadRequest),
                "{host:?}"
            );
        }
    }

    #[test]
    fn a_target_holds_everything_that_a_path_and_a_query_may_hold() {
        let target = "/-._~!$&'()*+,;=:@/%2F//..?-._~!$&'()*+,;=:@/?%00&a=b";
        assert_eq!(judged(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")), Ok(Framing::None));
    }

    #[test]
    fn too_many_headers_are_refused() {
        let many = "X: y\r\n".repeat(96);
        assert_eq!(
            judged(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")),
            Err(Code::HeaderTooLarge)
        );
    }
}
