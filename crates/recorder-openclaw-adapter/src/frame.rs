//! One frame of a gateway: which event it is of, which number it has, and what becomes of it.
//!
//! The protocol grows by addition: unknown events and members are no fault. They are counted and not kept.

use std::borrow::Cow;

use recorder_core::time::UtcTimestamp;

use crate::map::Rejected;
use crate::members::Members;

/// What a frame begins or ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Neither.
    None,
    Begins(What),
    Ends(What),
}

/// What begins and must end.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum What {
    Run,
    Tool,
    Approval,
}

impl What {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Tool => "tool",
            Self::Approval => "approval",
        }
    }
}

/// A kind of frame that is kept.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The gateway's event, and what of its payload tells it from others of the same event.
    pub(crate) event: &'static str,
    pub(crate) sign: &'static str,
    pub(crate) event_type: &'static str,
    pub(crate) step: Step,
    /// The member of the payload that holds the time.
    pub(crate) time: &'static str,
}

const fn kind(
    event: &'static str,
    sign: &'static str,
    event_type: &'static str,
    step: Step,
    time: &'static str,
) -> Kind {
    Kind { event, sign, event_type, step, time }
}

use Step::{Begins, Ends};
use What::{Approval, Run, Tool};

/// What is kept; everything else is counted. `*` is any sign.
pub(crate) const KINDS: &[Kind] = &[
    kind("agent", "lifecycle.start", "openclaw.run.started", Begins(Run), "ts"),
    kind("agent", "lifecycle.model", "openclaw.run.model", Step::None, "ts"),
    kind("agent", "lifecycle.fallback_step", "openclaw.model.fallback", Step::None, "ts"),
    kind("agent", "lifecycle.end", "openclaw.run.finished", Ends(Run), "ts"),
    kind("agent", "lifecycle.error", "openclaw.run.failed", Ends(Run), "ts"),
    kind("agent", "tool.start", "openclaw.tool.started", Begins(Tool), "ts"),
    kind("agent", "tool.result", "openclaw.tool.finished", Ends(Tool), "ts"),
    kind("agent", "tool.failed", "openclaw.tool.failed", Ends(Tool), "ts"),
    kind(
        "exec.approval.requested",
        "*",
        "openclaw.approval.requested",
        Begins(Approval),
        "createdAtMs",
    ),
    kind("exec.approval.resolved", "*", "openclaw.approval.resolved", Ends(Approval), "ts"),
    kind(
        "plugin.approval.requested",
        "*",
        "openclaw.approval.requested",
        Begins(Approval),
        "createdAtMs",
    ),
    kind("plugin.approval.resolved", "*", "openclaw.approval.resolved", Ends(Approval), "ts"),
    kind(
        "openclaw.approval.requested",
        "*",
        "openclaw.approval.requested",
        Begins(Approval),
        "createdAtMs",
    ),
    kind("openclaw.approval.resolved", "*", "openclaw.approval.resolved", Ends(Approval), "ts"),
    kind("chat", "final", "openclaw.chat.final", Step::None, "ts"),
    kind("chat", "error", "openclaw.chat.failed", Step::None, "ts"),
    kind("chat", "aborted", "openclaw.chat.aborted", Step::None, "ts"),
    kind("session.message", "user", "openclaw.message.inbound", Step::None, "ts"),
    kind("session.message", "assistant", "openclaw.message.outbound", Step::None, "ts"),
    kind("cron", "*", "openclaw.cron.run", Step::None, "ts"),
    kind("shutdown", "*", "openclaw.gateway.shutdown", Step::None, "ts"),
];

/// Members of a payload that are kept. The session's own row, by far the largest, is not among them.
pub(crate) const KEPT: &[&str] = &[
    "agentId",
    "approvalKind",
    "createdAtMs",
    "data",
    "decision",
    "errorMessage",
    "expiresAtMs",
    "id",
    "isHeartbeat",
    "jobId",
    "message",
    "reason",
    "request",
    "resolvedBy",
    "restartExpectedMs",
    "runId",
    "seq",
    "spawnedBy",
    "state",
    "status",
    "stopReason",
    "stream",
    "ts",
];

/// Events that the gateway sends without a number: they are no part of the count.
pub(crate) const UNNUMBERED: &[&str] = &["connect.challenge", "agent.error"];

/// A frame that was read.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) event: Cow<'a, str>,
    /// What of the payload tells the kind, such as `lifecycle.start`.
    pub(crate) sign: String,
    pub(crate) seq: Option<u64>,
    pub(crate) payload: Members<'a>,
    pub(crate) kind: Option<&'static Kind>,
}

impl<'a> Frame<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, Rejected> {
        let invalid = |detail| Rejected::new("frame_invalid", detail);
        let members = Members::read(text)
            .map_err(|_| invalid("the frame is no object with each member once"))?;
        if members.text("type").as_deref() != Some("event") {
            return Err(invalid("the frame is no event"));
        }
        let event = members.text("event").ok_or(invalid("the frame names no event"))?;
        let seq = match members.json("seq") {
            None => None,
            Some(_) => Some(
                members
                    .integer("seq")
                    .filter(|seq| is_number(*seq))
                    .ok_or(Rejected::new("seq_invalid", "seq is no integer from 1 to 2^53"))?,
            ),
        };
        let empty = "{}";
        let payload = Members::read(members.json("payload").unwrap_or(empty))
            .map_err(|_| invalid("the payload is no object with each member once"))?;
        let sign = sign(&event, &payload);
        let kind = KINDS
            .iter()
            .find(|kind| kind.event == event && (kind.sign == "*" || kind.sign == sign));
        Ok(Self { event, sign, seq, payload, kind })
    }

    /// The name under which a frame that is not kept is counted.
    pub(crate) fn count_name(&self) -> String {
        if self.sign.is_empty() {
            self.event.to_string()
        } else {
            format!("{}.{}", self.event, self.sign)
        }
    }

    /// When the gateway says that it happened.
    pub(crate) fn time(&self, kind: &Kind) -> Option<Result<UtcTimestamp, ()>> {
        let message = || self.payload.object("message")?.time("timestamp");
        self.payload.time(kind.time).or_else(message)
    }

    /// What a step is a step of: its run, its call in the run, or its approval.
    pub(crate) fn subject(&self, what: What) -> Option<String> {
        let run = || self.payload.text("runId");
        match what {
            What::Run => run().map(Cow::into_owned),
            What::Tool => Some(format!("{}\n{}", run()?, self.tool_call_id()?)),
            What::Approval => self.payload.text("id").map(Cow::into_owned),
        }
    }

    /// The id that the model's provider gave a tool call: unique in its run at most.
    pub(crate) fn tool_call_id(&self) -> Option<Cow<'a, str>> {
        let data = self.payload.object("data").and_then(|data| data.text("toolCallId"));
        data.or_else(|| self.payload.object("request").and_then(|it| it.text("toolCallId")))
    }
}

const fn is_number(seq: u64) -> bool {
    0 < seq && seq <= 1 << 53
}

/// What of a payload tells its kind.
fn sign(event: &str, payload: &Members<'_>) -> String {
    let sign = match event {
        "agent" => return agent_sign(payload),
        "chat" => payload.text("state"),
        "session.message" => payload.object("message").and_then(|message| message.text("role")),
        _ => None,
    };
    sign.map(Cow::into_owned).unwrap_or_default()
}

fn agent_sign(payload: &Members<'_>) -> String {
    let stream = payload.text("stream").unwrap_or_default();
    let data = payload.object("data");
    let phase = data.as_ref().and_then(|data| data.text("phase")).unwrap_or_default();
    let failed = data.as_ref().and_then(|data| data.json("isError")) == Some("true");
    match (&*stream, &*phase) {
        ("tool", "result") if failed => "tool.failed".to_owned(),
        (stream, "") => stream.to_owned(),
        (stream, phase) => format!("{stream}.{phase}"),
    }
}
