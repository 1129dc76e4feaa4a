//! Requests as a client's connection sends them: built once, made new by writing over key, id and trace.

use serde::{Deserialize, Serialize};

use crate::corpus::{self, Numbers, SEED};
use crate::load::Load;

/// Requests that a connection has before it begins again with the first, made new.
const TEMPLATES: u64 = 16;

/// Envelopes of one trace.
const TRACE_ENVELOPES: u64 = 50;

/// What is asked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Traffic {
    /// One envelope is recorded.
    Record,
    /// The same request in the name of another recorder: read, parsed, refused.
    Parse,
    /// So many envelopes are recorded together.
    Batch(u64),
    /// The envelopes of one trace, of a corpus of so many envelopes.
    Query(u64),
}

impl Traffic {
    /// The status of the answer that is expected.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Record | Self::Batch(_) => 201,
            Self::Parse => 409,
            Self::Query(_) => 200,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Record | Self::Parse => "/v1/envelopes",
            Self::Batch(_) => "/v1/envelopes/batch",
            Self::Query(_) => "/v1/query/envelopes",
        }
    }
}

/// What of a load's requests is nowhere near anything else: who made them when.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Spread {
    /// In the order of the corpus: fifty envelopes of a trace after each other, keys that ascend with time.
    Ordered,
    /// Every connection has a trace of its own, and keys are random.
    Scattered,
}

/// A request, and where in it what has to be new stands.
struct Template {
    bytes: Vec<u8>,
    key: Option<usize>,
    ids: Vec<usize>,
    traces: Vec<usize>,
    sessions: Vec<usize>,
}

/// The requests of one connection.
pub(crate) struct Requests {
    traffic: Traffic,
    spread: Spread,
    templates: Vec<Template>,
    connection: u64,
    seed: u64,
    numbers: Numbers,
}

impl Requests {
    /// Those of the connection with this number.
    pub(crate) fn new(load: &Load, connection: u64) -> Self {
        let first = connection * TEMPLATES;
        let templates = (first..first + TEMPLATES).map(|index| template(load, index)).collect();
        let numbers = Numbers::new(load.seed, connection);
        let Load { traffic, spread, seed, .. } = *load;
        Self { traffic, spread, templates, connection, seed, numbers }
    }

    /// The request with this number of the load, unlike any other.
    pub(crate) fn make(&mut self, number: u64) -> &[u8] {
        let template = &mut self.templates[(number % TEMPLATES) as usize];
        let milliseconds = corpus::START_SECONDS.unsigned_abs() * 1000 + (self.seed << 28);
        if let Some(key) = template.key {
            let out = &mut template.bytes[key..];
            match self.spread {
                Spread::Ordered => write_id(out, milliseconds + number, &mut self.numbers),
                Spread::Scattered => {
                    write_hex(&mut out[..32], &[self.numbers.bits(), self.numbers.bits()])
                }
            }
        }
        let count = template.ids.len() as u64;
        for (index, id) in (number * count..).zip(&template.ids) {
            write_id(&mut template.bytes[*id..], milliseconds + index, &mut self.numbers);
        }
        let (seed, first) = match (self.traffic, self.spread) {
            (Traffic::Query(count), _) => (SEED, self.numbers.below(count)),
            (_, Spread::Ordered) => (self.seed, number * count),
            // As many requests of each connection as of a trace, whichever of them these are.
            (_, Spread::Scattered) => {
                ((self.connection + 1) << 32 ^ self.seed, number * count / 64)
            }
        };
        let trace = |index: usize| {
            let mut words = corpus::trace_numbers(seed, (first + index as u64) / TRACE_ENVELOPES);
            [words.bits(), words.bits()]
        };
        for (index, place) in template.traces.iter().enumerate() {
            write_hex(&mut template.bytes[*place..], &trace(index));
        }
        for (index, place) in template.sessions.iter().enumerate() {
            write_hex(&mut template.bytes[*place..*place + 8], &trace(index));
        }
        &template.bytes
    }
}

fn write_hex(out: &mut [u8], words: &[u64]) {
    let text =
        words.iter().flat_map(|word| word.to_be_bytes()).flat_map(|byte| [byte >> 4, byte & 15]);
    for (place, digit) in out.iter_mut().zip(text) {
        *place = b"0123456789abcdef"[usize::from(digit)];
    }
}

fn write_id(out: &mut [u8], milliseconds: u64, numbers: &mut Numbers) {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&numbers.bits().to_be_bytes());
    let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid();
    id.hyphenated().encode_lower(&mut out[..36]);
}

fn template(load: &Load, index: u64) -> Template {
    let envelope = |index| String::from_utf8(corpus::request(SEED, index).body).unwrap_or_default();
    let stream =
        |recorder_id: &str| format!("\"tenant_id\":\"bench\",\"recorder_id\":\"{recorder_id}\"");
    let body = match load.traffic {
        Traffic::Record => {
            format!("{{{},\"envelope\":{}}}", stream(&load.recorder_id), envelope(index))
        }
        Traffic::Parse => {
            // As long as the right one.
            let other = "x".repeat(load.recorder_id.len());
            format!("{{{},\"envelope\":{}}}", stream(&other), envelope(index))
        }
        Traffic::Batch(count) => {
            let all = (index * count..(index + 1) * count).map(envelope).collect::<Vec<_>>();
            format!("{{{},\"envelopes\":[{}]}}", stream(&load.recorder_id), all.join(","))
        }
        Traffic::Query(_) => {
            let filter = format!("{{\"trace_ids\":[\"{}\"]}}", "0".repeat(32));
            format!("{{{},\"filter\":{filter},\"limit\":100}}", stream(&load.recorder_id))
        }
    };
    let key = match load.traffic {
        Traffic::Query(_) => String::new(),
        _ => format!("Idempotency-Key: {}\r\n", "0".repeat(36)),
    };
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\n{key}Content-Length: {}\r\n\r\n",
        load.traffic.path(),
        load.token,
        body.len(),
    );
    let bytes = [head.as_bytes(), body.as_bytes()].concat();
    let after = |name: &[u8]| {
        memchr::memmem::find_iter(&bytes, name).map(|place| place + name.len()).collect::<Vec<_>>()
    };
    let traces = match load.traffic {
        Traffic::Query(_) => after(b"\"trace_ids\":[\""),
        _ => after(b"\"trace_id\":\""),
    };
    let (key, ids) = (after(b"Idempotency-Key: ").first().copied(), after(b"\"envelope_id\":\""));
    let sessions = after(b"\"session_id\":\"session-");
    Template { key, ids, traces, sessions, bytes }
}
