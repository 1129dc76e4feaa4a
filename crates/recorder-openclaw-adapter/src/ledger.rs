//! The gateway's audit ledger: rows without content, which tell what the stream should have shown.
//!
//! A row is written the way the API answers it (`toolCallId`) or the way the database holds it (`tool_call_id`). Tool calls are
//! joined by the digest of their id, which the ledger keeps instead of it. The source calls its ledger best effort:
//! that a row is missing is therefore named only for runs whose end the ledger has.

use std::borrow::Cow;
use std::collections::BTreeMap;

use recorder_core::identity::EnvironmentId;
use recorder_envelope::envelope::UnsealedEnvelope;
use recorder_envelope::json::ObjectWriter;

use crate::map::{Draft, Mapper, Rejected};
use crate::members::{Members, moment};

/// Runs and tool calls that are compared; further ones are not, and that is said.
pub(crate) const JOINED_MAX: usize = 16_384;

/// Members of a row that are kept.
pub(crate) const KEPT: &[&str] = &[
    "action",
    "actor",
    "actor_id",
    "actor_type",
    "agent_id",
    "channel",
    "conversation_kind",
    "conversation_ref",
    "direction",
    "duration_ms",
    "error_code",
    "event_id",
    "event_type",
    "kind",
    "message_outcome",
    "message_ref",
    "occurred_at",
    "redaction",
    "result_count",
    "run_id",
    "schema_version",
    "sequence",
    "session_id",
    "source_id",
    "source_sequence",
    "status",
    "tool_call_id",
    "tool_name",
];

/// A row that was read.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    members: Members<'a>,
    event_id: Cow<'a, str>,
    action: Cow<'a, str>,
}

impl<'a> Row<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, Rejected> {
        let invalid = |detail| Rejected::new("ledger_row_invalid", detail);
        let members = Members::read(text)
            .map_err(|_| invalid("the row is no object with each member once"))?;
        let names: Vec<String> = members.iter().map(|(name, _)| snake_case(name)).collect();
        let twice = |name: &&String| names.iter().filter(|other| other == name).count() > 1;
        if names.iter().any(|name| twice(&name)) {
            return Err(invalid("the row has a member in both spellings"));
        }
        let action = text_of(&members, "action").ok_or(invalid("the row names no action"))?;
        let event_id = text_of(&members, "event_id").ok_or(invalid("the row has no event id"))?;
        Ok(Self { members, event_id, action })
    }

    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text_of(&self.members, name)
    }

    pub(crate) fn action(&self) -> &str {
        &self.action
    }

    /// Maps the row.
    pub(crate) fn map(
        &self,
        mapper: &mut Mapper<'_>,
        gateway: &EnvironmentId,
    ) -> Result<UnsealedEnvelope, Rejected> {
        let occurred = json_of(&self.members, "occurred_at").and_then(|json| json.parse().ok());
        let claimed_time = occurred.and_then(moment).ok_or(Rejected::new(
            "time_out_of_range",
            "the row's time is no millisecond from 1970 to 9999",
        ))?;
        let label = |mapper: &mut Mapper<'_>, name: &str| {
            let text = self.text(name)?;
            Some(mapper.redaction.label(&text).into_owned())
        };
        let (trace, session) = (label(mapper, "run_id"), label(mapper, "session_id"));
        let actor = match label(mapper, "agent_id") {
            Some(agent) => format!("openclaw:agent:{agent}"),
            None => format!("openclaw:gateway:{gateway}"),
        };
        let event_type = format!("openclaw.ledger.{}", self.action);
        let row = self.content(mapper)?;
        let session_key = self.text("session_key").and_then(|key| mapper.pseudonym(&key));
        let draft = Draft {
            event_type: &event_type,
            actor,
            environment: gateway,
            claimed_time,
            trace: trace.as_deref(),
            session: session.as_deref(),
            parent: None,
        };
        let write = |detail: &mut ObjectWriter<'_>| {
            detail.raw("row", &row);
            detail.string_or_null("session_key_hmac", session_key.as_deref());
        };
        mapper.about(draft, None, write, |key| {
            key.string("event_id", &self.event_id).string("gateway", gateway.as_str());
            key.string("kind", "ledger");
        })
    }

    fn content(&self, mapper: &mut Mapper<'_>) -> Result<Vec<u8>, Rejected> {
        let named: Vec<(String, &str)> = (self.members.iter())
            .map(|(name, value)| (snake_case(name), value.get()))
            .filter(|(name, _)| KEPT.contains(&&**name))
            .collect();
        let members: Vec<(&str, &str)> =
            named.iter().map(|(name, json)| (&**name, *json)).collect();
        mapper.cleaned("ledger", &members)
    }
}

fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

fn json_of<'a>(members: &Members<'a>, name: &str) -> Option<&'a str> {
    let member = members.iter().find(|(found, _)| snake_case(found) == name)?;
    Some(member.1.get()).filter(|json| *json != "null")
}

fn text_of<'a>(members: &Members<'a>, name: &str) -> Option<Cow<'a, str>> {
    let (found, _) = members.iter().find(|(found, _)| snake_case(found) == name)?;
    members.text(found)
}

/// Who has shown something.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    stream: bool,
    ledger: bool,
}

/// One run of a gateway, as stream and ledger tell of it.
#[derive(Debug, Default)]
struct Run {
    /// The stream has its beginning and its end.
    stream_began: bool,
    stream_ended: bool,
    /// The ledger has its end.
    ledger_ended: bool,
    tools: BTreeMap<String, Shown>,
}

/// Compares what the stream shows with what the ledger has.
#[derive(Debug, Default)]
pub(crate) struct Join {
    runs: BTreeMap<(EnvironmentId, String), Run>,
    joined: usize,
    /// Whether there was more than is compared.
    pub(crate) overflowed: bool,
}

/// A tool call that only one of the two has.
#[derive(Debug)]
pub(crate) struct Mismatch {
    pub(crate) gateway: EnvironmentId,
    pub(crate) run_id: String,
    pub(crate) tool_call_digest: String,
    pub(crate) code: &'static str,
}

impl Join {
    fn run(&mut self, gateway: &EnvironmentId, run_id: &str) -> Option<&mut Run> {
        let key = (gateway.clone(), run_id.to_owned());
        if !self.runs.contains_key(&key) {
            if self.joined >= JOINED_MAX {
                self.overflowed = true;
                return None;
            }
            self.joined += 1;
        }
        Some(self.runs.entry(key).or_default())
    }

    fn tool(&mut self, gateway: &EnvironmentId, run_id: &str, digest: &str) -> Option<&mut Shown> {
        let is_full = self.joined >= JOINED_MAX;
        let run = self.run(gateway, run_id)?;
        if !run.tools.contains_key(digest) {
            if is_full {
                self.overflowed = true;
                return None;
            }
            self.joined += 1;
        }
        let key = (gateway.clone(), run_id.to_owned());
        Some(self.runs.get_mut(&key)?.tools.entry(digest.to_owned()).or_default())
    }

    /// The stream shows that a run began or ended.
    pub(crate) fn stream_run(&mut self, gateway: &EnvironmentId, run_id: &str, ended: bool) {
        if let Some(run) = self.run(gateway, run_id) {
            if ended { run.stream_ended = true } else { run.stream_began = true }
        }
    }

    /// The stream shows a tool call.
    pub(crate) fn stream_tool(&mut self, gateway: &EnvironmentId, run_id: &str, call_id: &str) {
        let digest = crate::map::tool_call_digest(call_id);
        if let Some(shown) = self.tool(gateway, run_id, &digest) {
            shown.stream = true;
        }
    }

    /// The ledger has a row.
    pub(crate) fn ledger_row(&mut self, gateway: &EnvironmentId, row: &Row<'_>) {
        let Some(run_id) = row.text("run_id") else { return };
        match row.text("tool_call_id") {
            Some(digest) => {
                if let Some(shown) = self.tool(gateway, &run_id, &digest) {
                    shown.ledger = true;
                }
            }
            None if row.action() == "agent.run.finished" => {
                if let Some(run) = self.run(gateway, &run_id) {
                    run.ledger_ended = true;
                }
            }
            None => {}
        }
    }

    /// Tool calls that only the ledger has, in runs that the stream shows whole; and those that only the stream has, in runs
    /// whose end the ledger has.
    pub(crate) fn mismatches(&self) -> impl Iterator<Item = Mismatch> {
        self.runs.iter().flat_map(|((gateway, run_id), run)| {
            let whole = run.stream_began && run.stream_ended;
            run.tools.iter().filter_map(move |(digest, shown)| {
                let code = match (shown.stream, shown.ledger) {
                    (false, true) if whole => "ledger_tool_unseen",
                    (true, false) if run.ledger_ended => "ledger_tool_missing",
                    _ => return None,
                };
                Some(Mismatch {
                    gateway: gateway.clone(),
                    run_id: run_id.clone(),
                    tool_call_digest: digest.clone(),
                    code,
                })
            })
        })
    }
}
