//! Exchanges of the transcript.

use recorder_core::identity::EventType;
use recorder_envelope::envelope::UnsealedEnvelope;
use recorder_envelope::json::{ObjectWriter, write_string};

use super::{Claimed, Draft, Mapper, Names, RECORD_INVALID, Rejected};
use crate::document::Source;
use crate::exchange::{End, Exchange};
use crate::json::Node;
use crate::run::Run;

/// The tools whose calls and answers are known, so that what is secret in them is known too.
pub(crate) const TOOLS: [&str; 18] = [
    "decision_gate_docs_search",
    "evidence_query",
    "precheck",
    "provider_check_schema_get",
    "provider_contract_get",
    "providers_list",
    "runpack_export",
    "runpack_verify",
    "scenario_define",
    "scenario_next",
    "scenario_start",
    "scenario_status",
    "scenario_submit",
    "scenario_trigger",
    "scenarios_list",
    "schemas_get",
    "schemas_list",
    "schemas_register",
];

/// Methods of which nothing is secret.
const METHODS: [&str; 3] = ["resources/list", "resources/read", "tools/list"];

/// What stands in the place of a body that is not known.
const UNLISTED: &str = "unlisted_tool";

/// What stands in the place of a text of the client's transport.
const TRANSPORT_ERROR: &str = "path:/error";

impl Mapper<'_> {
    /// Maps the exchange at `index` and reports what became of it.
    pub(crate) fn exchange(
        &mut self,
        index: usize,
        text: &str,
        source: Option<&Source>,
        claimed: Claimed,
    ) {
        let mapped = Exchange::read(text)
            .map_err(|detail| Rejected { code: RECORD_INVALID, detail })
            .and_then(|exchange| self.map_exchange(index, &exchange, source, claimed));
        self.conclude(&format!("transcript/{index}"), text, mapped);
    }

    fn map_exchange(
        &mut self,
        index: usize,
        exchange: &Exchange<'_>,
        source: Option<&Source>,
        claimed: Claimed,
    ) -> Result<UnsealedEnvelope, Rejected> {
        let own_run = Run::of_exchange(exchange);
        let run = own_run.unwrap_or_else(|| self.run.clone());
        let client = self.settings.client.clone();
        let names = Names::new(
            &mut self.redaction,
            exchange.actor(),
            &client,
            &run,
            exchange.correlation(),
        );
        let sequence = exchange.sequence.unwrap_or(index as u64 + 1);
        let method = self.redaction.label(&exchange.method).into_owned();
        let tool = exchange.tool().map(|tool| self.redaction.label(tool).into_owned());
        let payload = self.exchange_payload(exchange, sequence, &method, source, claimed)?;
        let envelope_id = self.id(claimed, |key, run, document| {
            // A transcript that names no run is told from others by what stands for it as a whole.
            let document = if run.run_id.is_none() { document } else { "" };
            key.string("document", document).string("kind", "exchange").string("method", &method);
            run.write(key);
            key.string("sequence", &sequence.to_string());
            key.string_or_null("tool", tool.as_deref());
        });
        let event_type = event_type(&method, tool.as_deref());
        self.envelope(
            envelope_id,
            Draft { event_type, names, claimed, parents: Vec::new() },
            &payload,
        )
    }

    fn exchange_payload(
        &mut self,
        exchange: &Exchange<'_>,
        sequence: u64,
        method: &str,
        source: Option<&Source>,
        claimed: Claimed,
    ) -> Result<Vec<u8>, Rejected> {
        let is_listed = match exchange.tool() {
            Some(tool) => TOOLS.contains(&tool),
            None => METHODS.contains(&exchange.method.as_ref()),
        };
        let request = self.body(is_listed, "request", &exchange.request)?;
        let response = self.body(is_listed, "response", &exchange.response)?;
        let tool = exchange.tool().map(|tool| self.redaction.label(tool).into_owned());
        let transport_error = exchange.transport_error.as_deref().map(|text| {
            let mut out = Vec::new();
            self.redaction.remove_text(TRANSPORT_ERROR, text, &mut out);
            out
        });
        let (outcome, code) = match exchange.end() {
            End::Success => ("success", None),
            End::Failure(code) => ("failure", code.filter(|code| code.len() <= 16)),
            End::Missing => ("missing", None),
        };
        let source = source.map(|source| self.source(source));
        let before = |payload: &mut ObjectWriter<'_>| {
            payload.string("method", method).string("outcome", outcome);
            payload.string_or_null("outcome_code", code).raw("request", &request);
            payload.raw("response", &response).string("sequence", &sequence.to_string());
            raw_or_null(payload, "source", source.as_deref());
        };
        let after = |payload: &mut ObjectWriter<'_>| {
            payload.string_or_null("tool", tool.as_deref());
            raw_or_null(payload, "transport_error", transport_error.as_deref());
        };
        Ok(self.payload(claimed, before, after))
    }

    fn body(&mut self, is_listed: bool, name: &str, node: &Node<'_>) -> Result<Vec<u8>, Rejected> {
        if is_listed || node.is_null() {
            return self.redacted(&[name], node);
        }
        // Of what is not known, the frame stays and the content goes.
        let Node::Object(members) = node else { return self.removed(UNLISTED, node) };
        let mut out = vec![b'{'];
        for (index, (member, value)) in members.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let member_name = self.redaction.label(member).into_owned();
            write_string(&mut out, member_name.trim_start_matches('$'));
            out.push(b':');
            let stays = matches!(member.as_ref(), "id" | "jsonrpc" | "method" | "error");
            let written = match stays {
                true => self.redacted(&[name, member], value)?,
                false => self.removed(UNLISTED, value)?,
            };
            out.extend_from_slice(&written);
        }
        out.push(b'}');
        Ok(out)
    }

    fn source(&mut self, source: &Source) -> Vec<u8> {
        let mut label = |text: &str| self.redaction.label(text).into_owned();
        let product = label(&source.product);
        let version = source.product_version.as_deref().map(&mut label);
        let transport = source.transport.as_deref().map(&mut label);
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        object
            .string("product", &product)
            .string_or_null("product_version", version.as_deref())
            .string_or_null("transport", transport.as_deref());
        object.finish();
        out
    }
}

fn raw_or_null(object: &mut ObjectWriter<'_>, name: &'static str, json: Option<&[u8]>) {
    match json {
        Some(json) => object.raw(name, json),
        None => object.null(name),
    };
}

/// The event type of an exchange; one whose name fits no event type is called other.
fn event_type(method: &str, tool: Option<&str>) -> String {
    let (prefix, name) = match tool {
        Some(tool) => ("decision_gate.mcp", tool.to_owned()),
        None => ("decision_gate.rpc", method.replace('/', ".")),
    };
    let event_type = format!("{prefix}.{name}");
    if EventType::check(&event_type).is_ok() { event_type } else { format!("{prefix}.other") }
}
