//! Level 4: the transcript and the runpack tell of the same calls.
//!
//! The engine records each call that reached it, by digests and in order; what a client saw of them stands in the
//! transcript. Where the transcript leaves the recorded order, no later call is matched either: what happened between
//! is unknown. A call that was refused before the engine is not recorded, and need not be.

use crate::check::records::Call;
use crate::check::transcript::same;
use crate::exchange::{End, Exchange, RECORDED_TOOLS};
use crate::finding::{Code, Findings};
use crate::json::Node;
use crate::runpack::Kind;
use crate::source_form::{Agreement, Recomputed};

/// An export that the transcript holds.
#[derive(Debug)]
struct Export {
    index: usize,
    equal: bool,
    /// Root digest and time, by which a damaged manifest is still told from others.
    alike: bool,
}

/// What a call of a recorded tool came to.
#[derive(Debug)]
struct Seen {
    index: usize,
    method: String,
    run_is_other: bool,
    request: Option<Recomputed>,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Success(Option<Recomputed>),
    Failure,
    Missing,
}

/// Collects what the transcript says of exports and of calls.
#[derive(Debug, Default)]
pub(crate) struct Link {
    exports: Vec<Export>,
    seen: Vec<Seen>,
}

impl Link {
    /// Looks at the next exchange.
    pub(crate) fn look(&mut self, index: usize, exchange: &Exchange<'_>, manifest: &Node<'_>) {
        let Some(tool) = exchange.tool() else { return };
        let exported = exchange.answer().and_then(|answer| answer.given("manifest"));
        if let Some(exported) = exported.filter(|_| tool == "runpack_export") {
            let equal = same(exported, manifest);
            let alike = is_alike(exported, manifest);
            self.exports.push(Export { index, equal, alike });
        }
        if RECORDED_TOOLS.contains(&tool) {
            let run = manifest.text_of("run_id");
            self.seen.push(Seen {
                index,
                method: tool.replacen('_', ".", 1),
                run_is_other: exchange.run_id() != run,
                request: exchange.request_digest(),
                answer: match exchange.end() {
                    End::Success => Answer::Success(exchange.response_digest()),
                    End::Failure(_) => Answer::Failure,
                    End::Missing => Answer::Missing,
                },
            });
        }
    }

    /// Compares the transcript with the runpack. `others_may_call` leaves out what only says that the transcript is
    /// that of one client among several.
    pub(crate) fn check(
        &self,
        calls: Option<&[Call]>,
        others_may_call: bool,
        findings: &mut Findings,
    ) {
        if self.exports.is_empty() {
            findings.add(Code::ExportNotInTranscript, "transcript");
        } else if !self.exports.iter().any(|export| export.equal) {
            findings.add(Code::ExportManifestMismatch, "manifest");
        }
        let Some(calls) = calls else { return };
        let end = self.export_end();
        let mut pending = calls;
        for seen in self.seen.iter().filter(|seen| end.is_none_or(|end| seen.index < end)) {
            pending = seen.consume(pending, others_may_call, findings);
        }
        if !pending.is_empty() && !others_may_call {
            let next = calls.len() - pending.len();
            let path = format!("{}/{next}", Kind::ToolCalls.path());
            findings.add(Code::ToolCallWithoutExchange, path);
        }
    }

    /// Where the export of this runpack stands: nothing after it can be in it.
    fn export_end(&self) -> Option<usize> {
        let exports = || self.exports.iter();
        let found = exports().find(|export| export.equal).or_else(|| exports().find(|e| e.alike));
        found.or_else(|| exports().next_back()).map(|export| export.index)
    }
}

/// Whether two manifests share what tells one export of a run from another.
fn is_alike(one: &Node<'_>, other: &Node<'_>) -> bool {
    let shared = |path: &[&str]| {
        one.at(path).zip(other.at(path)).is_some_and(|(one, other)| same(one, other))
    };
    shared(&["integrity", "root_hash"]) || shared(&["generated_at"])
}

impl Seen {
    /// Takes the call that this exchange is from the front of those that are still to come.
    fn consume<'c>(
        &self,
        pending: &'c [Call],
        others_may_call: bool,
        findings: &mut Findings,
    ) -> &'c [Call] {
        // Calls of other clients may stand between.
        let reach = if others_may_call { pending.len() } else { 1 };
        let recorded = |agreement| {
            let mut calls = pending.iter().take(reach);
            calls.position(|call| self.is_recorded_as(call, agreement))
        };
        let equal = recorded(Agreement::Equal);
        let found = equal.or_else(|| recorded(Agreement::NotRecomputable));
        let Some((call, rest)) = found.and_then(|at| pending.get(at..)?.split_first()) else {
            let unrecorded = matches!(self.answer, Answer::Success(_)) && !self.run_is_other;
            if unrecorded {
                let path = format!("transcript/{}/request", self.index);
                findings.add(Code::TranscriptCallUnrecorded, path);
            }
            return pending;
        };
        if equal.is_none() {
            let path = format!("transcript/{}/request", self.index);
            findings.add(Code::DigestNotRecomputable, path);
        }
        let path = format!("transcript/{}/response", self.index);
        if let Answer::Success(digest) = &self.answer {
            let compared = digest.as_ref().zip(call.response_hash.as_deref());
            match compared.map(|(digest, written)| digest.compare(written)) {
                Some(Agreement::Equal) if !call.failed => {}
                Some(Agreement::NotRecomputable) if !call.failed => {
                    findings.add(Code::DigestNotRecomputable, path);
                }
                Some(_) | None => findings.add(Code::TranscriptResponseMismatch, path),
            }
        }
        rest
    }

    /// Whether the engine recorded this request as `call`, by a digest that agrees so.
    fn is_recorded_as(&self, call: &Call, agreement: Agreement) -> bool {
        // An error that the engine did not record came before it: the request may have been sent again.
        let reached = !matches!(self.answer, Answer::Failure) || call.failed;
        let same = self
            .request
            .as_ref()
            .is_some_and(|digest| digest.compare(&call.request_hash) == agreement);
        reached && same && self.method == call.method
    }
}
