//! A transcript alone: numbered without a hole, every request answered, every answer its request's.

use crate::exchange::{End, Exchange};
use crate::finding::{Code, Findings};
use crate::json::Node;

/// Checks that there is an exchange at all.
pub(crate) fn check_count(count: usize, findings: &mut Findings) {
    if count == 0 {
        findings.add(Code::TranscriptEmpty, "transcript");
    }
}

/// Checks the exchange at `index`.
pub(crate) fn check(index: usize, exchange: &Exchange<'_>, findings: &mut Findings) {
    let path = format!("transcript/{index}");
    if exchange.sequence.is_some_and(|sequence| sequence != index as u64 + 1) {
        findings.add(Code::TranscriptSequenceBroken, format_args!("{path}/sequence"));
    }
    if exchange.end() == End::Missing {
        findings.add(Code::TranscriptResponseMissing, format_args!("{path}/response"));
    }
    if !is_answered(exchange) {
        findings.add(Code::TranscriptIdMismatch, format_args!("{path}/response/id"));
    }
    if says_failed(exchange) {
        findings.add(Code::ReportedVerificationFailed, format_args!("{path}/response"));
    }
}

/// Whether the response carries the id of the request. The native form of responses has none, and an error that came
/// before the id was read has `null`.
fn is_answered(exchange: &Exchange<'_>) -> bool {
    let response = &exchange.response;
    if !response.is_object() {
        return true;
    }
    let asked = exchange.request.get("id").unwrap_or(&Node::Null);
    match response.get("id") {
        None => response.get("jsonrpc").is_none(),
        Some(Node::Null) if matches!(exchange.end(), End::Failure(_)) => true,
        Some(id) => same(id, asked),
    }
}

/// Whether two values are the same however their members are ordered.
pub(crate) fn same(one: &Node<'_>, other: &Node<'_>) -> bool {
    let form = |node: &Node<'_>| {
        let mut bytes = Vec::new();
        crate::source_form::write(node, &mut bytes);
        bytes
    };
    form(one) == form(other)
}

/// Whether a verification was asked for and did not pass.
fn says_failed(exchange: &Exchange<'_>) -> bool {
    let Some(answer) = exchange.answer() else { return false };
    let failed = |report: &Node<'_>| {
        let errors = report.get("errors").and_then(Node::list).unwrap_or_default();
        report.text_of("status") != Some("pass") || !errors.is_empty()
    };
    match exchange.tool() {
        Some("runpack_verify") => {
            answer.text_of("status") != Some("pass") || answer.get("report").is_none_or(failed)
        }
        Some("runpack_export") => answer.given("report").is_some_and(failed),
        _ => false,
    }
}
