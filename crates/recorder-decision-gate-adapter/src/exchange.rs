//! One JSON-RPC exchange of a transcript, as a view into its text.

use std::borrow::Cow;

use crate::json::{Node, split_object};
use crate::source_form::Recomputed;
use crate::time::{ReadTime, SourceTime};

/// The members of an exchange.
const MEMBERS: &[&str] = &["error", "method", "request", "response", "sequence"];

/// The tools that the runpack records calls of.
pub(crate) const RECORDED_TOOLS: [&str; 4] =
    ["scenario_next", "scenario_status", "scenario_submit", "scenario_trigger"];

/// A request, and what answered it.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    /// As written; `None` where the form of the transcript has none.
    pub(crate) sequence: Option<u64>,
    pub(crate) method: Cow<'a, str>,
    pub(crate) request: Node<'a>,
    pub(crate) response: Node<'a>,
    /// What the client said of a failed transport.
    pub(crate) transport_error: Option<Cow<'a, str>>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End<'n> {
    Success,
    /// With the code of the error.
    Failure(Option<&'n str>),
    /// Without an answer that could be read.
    Missing,
}

impl<'a> Exchange<'a> {
    /// Reads one; the reason why it is none is for people.
    pub(crate) fn read(text: &'a str) -> Result<Self, String> {
        let members = split_object(text).map_err(|fault| fault.to_string())?;
        if members.iter().any(|(name, _)| !MEMBERS.contains(&name.as_ref())) {
            return Err("a member that no exchange has".to_owned());
        }
        let given =
            |name: &str| members.iter().find(|(found, _)| found == name).map(|(_, text)| *text);
        let parse = |text: &'a str| Node::parse(text).map_err(|fault| fault.to_string());
        let request_text = given("request").ok_or("there is no request")?;
        let response_text = given("response").unwrap_or("null");
        let request = parse(request_text)?;
        let sequence = match given("sequence").map(parse).transpose()? {
            None => None,
            Some(node) => Some(node.integer().ok_or("sequence is no whole number")?),
        };
        let transport_error = match given("error").map(parse).transpose()? {
            None | Some(Node::Null) => None,
            Some(Node::Text(text)) => Some(text),
            Some(_) => return Err("error is no text".to_owned()),
        };
        let method = match given("method").map(parse).transpose()? {
            Some(Node::Text(method)) => Some(method),
            None => None,
            Some(_) => return Err("method is no text".to_owned()),
        };
        let response = parse(response_text)?;
        let method = agreed_method(method, &request)?;
        Ok(Self { sequence, method, request, response, transport_error })
    }

    /// The tool that a `tools/call` names.
    pub(crate) fn tool(&self) -> Option<&str> {
        let is_call = self.method == "tools/call";
        self.request.at(&["params", "name"]).filter(|_| is_call)?.text()
    }

    /// What the tool was called with.
    pub(crate) fn arguments(&self) -> Option<&Node<'a>> {
        self.request.at(&["params", "arguments"])
    }

    /// How it ended.
    pub(crate) fn end(&self) -> End<'_> {
        if let Some(error) = self.response.given("error") {
            let code = match error.get("code") {
                Some(Node::Number(code)) => Some(*code),
                _ => None,
            };
            return End::Failure(code);
        }
        if self.response.given("result").is_some() { End::Success } else { End::Missing }
    }

    /// What the tool answered: the one JSON element of the result.
    pub(crate) fn answer(&self) -> Option<&Node<'a>> {
        match self.response.at(&["result", "content"])?.list()? {
            [element] => element.get("json"),
            _ => None,
        }
    }

    /// The part of the arguments that the engine saw.
    fn engine_request(&self) -> Option<&Node<'a>> {
        let name = if self.tool() == Some("scenario_trigger") { "trigger" } else { "request" };
        self.arguments()?.get(name)
    }

    /// The digest under which the runpack records the request.
    pub(crate) fn request_digest(&self) -> Option<Recomputed> {
        let Node::Object(members) = self.engine_request()? else { return None };
        let mut members = members.clone();
        let optional: &[&str] = match self.tool() {
            Some("scenario_trigger") => &["correlation_id", "payload"],
            _ => &["correlation_id"],
        };
        for name in optional {
            if !members.iter().any(|(found, _)| found == name) {
                members.push(((*name).into(), Node::Null));
            }
        }
        Some(Recomputed::of(&Node::Object(members)))
    }

    /// The digest under which the runpack records a success.
    pub(crate) fn response_digest(&self) -> Option<Recomputed> {
        let Node::Object(members) = self.answer()? else { return None };
        let kept = members.iter().filter(|(name, _)| name != "feedback").cloned().collect();
        Some(Recomputed::of(&Node::Object(kept)))
    }

    /// The run that the call names.
    pub(crate) fn run_id(&self) -> Option<&str> {
        self.run_context()?.text_of("run_id")
    }

    /// The object that names run, tenant and namespace.
    pub(crate) fn run_context(&self) -> Option<&Node<'a>> {
        let arguments = self.arguments()?;
        let places = ["request", "trigger", "run_config", "context"];
        let inner = places.iter().filter_map(|name| arguments.get(name));
        inner.chain([arguments]).find(|node| node.get("run_id").is_some())
    }

    /// The time that the call names; `None` where its kind has none.
    pub(crate) fn time(&self) -> Option<ReadTime> {
        let path: &[&str] = match self.tool()? {
            "scenario_start" => &["started_at"],
            "scenario_status" => &["request", "requested_at"],
            "scenario_next" => &["request", "time"],
            "scenario_trigger" => &["trigger", "time"],
            "scenario_submit" => &["request", "submitted_at"],
            "evidence_query" => &["context", "trigger_time"],
            "runpack_export" => &["generated_at"],
            _ => return None,
        };
        self.arguments()?.at(path).map(SourceTime::read)
    }

    /// Who made the call, where it says so.
    pub(crate) fn actor(&self) -> Option<&str> {
        let context = self.run_context()?;
        context.text_of("agent_id").or_else(|| context.text_of("source_id"))
    }

    /// The correlation that the client chose.
    pub(crate) fn correlation(&self) -> Option<&str> {
        self.run_context()?.text_of("correlation_id")
    }
}

/// The method, which the entry and the request may both name.
fn agreed_method<'a>(
    method: Option<Cow<'a, str>>,
    request: &Node<'a>,
) -> Result<Cow<'a, str>, String> {
    let inner = match request.get("method") {
        Some(Node::Text(inner)) => Some(inner.clone()),
        _ => None,
    };
    match (method, inner) {
        (Some(outer), Some(inner)) if outer != inner => {
            Err("method differs from that of the request".to_owned())
        }
        (Some(outer), _) => Ok(outer),
        (None, Some(inner)) => Ok(inner),
        (None, None) => Ok(Cow::Borrowed("unknown")),
    }
}
