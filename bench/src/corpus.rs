//! Envelopes as agents' clients send them: made up from a seed, varied, never read from anywhere.
//!
//! One repeated body would flatter indexes, branch prediction and compression. A canonical payload has about
//! 1,000 bytes; members stand in the order in which the client happened to write them.

use std::fmt::Write as _;

use recorder_core::time::UtcTimestamp;

/// Raised whenever the same seed no longer gives the same envelopes.
pub(crate) const CORPUS_VERSION: u64 = 1;

/// The seed of every run.
pub(crate) const SEED: u64 = 0x5EED_2026;

/// When the first event is claimed to have happened: 2026-11-01T00:00:00Z.
pub(crate) const START_SECONDS: i64 = 1_793_491_200;

/// Milliseconds between two events.
const STEP_MILLISECONDS: u64 = 37;

const WORDS: [&str; 48] = [
    "account",
    "adjusted",
    "agent",
    "approved",
    "balance",
    "batch",
    "between",
    "bridge",
    "café",
    "carrier",
    "ceiling",
    "claim",
    "clause",
    "customer",
    "delayed",
    "deposit",
    "escalate",
    "exceeds",
    "façade",
    "forecast",
    "freight",
    "harbour",
    "invoice",
    "ledger",
    "limit",
    "margin",
    "naïve",
    "notice",
    "order",
    "overdue",
    "partial",
    "payment",
    "policy",
    "quarter",
    "query",
    "reason",
    "refund",
    "region",
    "request",
    "retry",
    "review",
    "risk",
    "schedule",
    "supplier",
    "threshold",
    "ticket",
    "value",
    "warehouse",
];

const TOOLS: [&str; 12] = [
    "crm.lookup",
    "crm.update",
    "email.draft",
    "email.send",
    "files.read",
    "files.write",
    "http.fetch",
    "ledger.post",
    "search.query",
    "shell.run",
    "sql.select",
    "tickets.create",
];

const EVENT_TYPES: [&str; 10] = [
    "tool.call",
    "tool.result",
    "model.request",
    "model.response",
    "decision.approved",
    "decision.denied",
    "policy.evaluated",
    "memory.read",
    "memory.write",
    "handoff.requested",
];

const MODELS: [&str; 4] = ["orion-4-large", "orion-4-mini", "lyra-2", "vega-coder-7b"];

/// Repeatable numbers (splitmix64).
pub(crate) struct Numbers(u64);

impl Numbers {
    /// Starts the sequence that belongs to `seed` and `index`.
    pub(crate) fn new(seed: u64, index: u64) -> Self {
        Self(seed ^ index.wrapping_mul(0xA076_1D64_78BD_642F))
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound.max(1)
    }

    fn pick<'a>(&mut self, among: &[&'a str]) -> &'a str {
        let index = self.below(among.len() as u64) as usize;
        among.get(index).copied().unwrap_or_default()
    }

    fn hex(&mut self, words: usize) -> String {
        let mut text = String::with_capacity(words * 16);
        for _ in 0..words {
            push(&mut text, format_args!("{:016x}", self.bits()));
        }
        text
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String never fails.
    let _ = text.write_fmt(arguments);
}

/// One envelope as the client sends it.
pub(crate) struct Request {
    /// The whole body.
    pub(crate) body: Vec<u8>,
    /// The payload within it, as sent.
    pub(crate) payload: Vec<u8>,
}

/// The envelope with `index` of the corpus.
pub(crate) fn request(seed: u64, index: u64) -> Request {
    let mut numbers = Numbers::new(seed, index);
    let payload = payload(&mut numbers);
    let session = index / 50;
    let mut body = String::with_capacity(payload.len() + 640);
    push(&mut body, format_args!("{{\"event_type\":\"{}\"", numbers.pick(&EVENT_TYPES)));
    push(&mut body, format_args!(",\"actor_id\":\"agent:worker-{:03}\"", numbers.below(200)));
    push(&mut body, format_args!(",\"environment_id\":\"prod/eu-west-{}\"", numbers.below(3) + 1));
    push(&mut body, format_args!(",\"envelope_id\":\"{}\"", envelope_id(seed, index)));
    push(&mut body, format_args!(",\"claimed_time\":\"{}\"", claimed_time(index)));
    let trace = trace_numbers(seed, session).hex(2);
    push(&mut body, format_args!(",\"trace_id\":\"{trace}\""));
    push(&mut body, format_args!(",\"session_id\":\"session-{session:08}\""));
    // Most events follow from the one before them in their session.
    if !index.is_multiple_of(50) && numbers.below(4) > 0 {
        push(&mut body, format_args!(",\"parent_ids\":[\"{}\"]", envelope_id(seed, index - 1)));
    }
    push(&mut body, format_args!(",\"payload\":{payload}}}"));
    Request { body: body.into_bytes(), payload: payload.into_bytes() }
}

/// What the trace id of a session is made of.
pub(crate) fn trace_numbers(seed: u64, session: u64) -> Numbers {
    Numbers::new(seed ^ 0x7ACE, session)
}

/// UUIDv7 of the event's own time, as producers make them.
fn envelope_id(seed: u64, index: u64) -> uuid::Uuid {
    let mut numbers = Numbers::new(seed ^ 0x001D, index);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&numbers.bits().to_be_bytes());
    random[8..].copy_from_slice(&numbers.bits().to_be_bytes()[..2]);
    let milliseconds = START_SECONDS.unsigned_abs() * 1000 + index * STEP_MILLISECONDS;
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid()
}

fn claimed_time(index: u64) -> String {
    let milliseconds = index * STEP_MILLISECONDS;
    let seconds = START_SECONDS + (milliseconds / 1000) as i64;
    let nanoseconds = (milliseconds % 1000) as u32 * 1_000_000 + 417_000;
    UtcTimestamp::new(seconds, nanoseconds).map(|time| time.to_string()).unwrap_or_default()
}

fn sentence(numbers: &mut Numbers, words: u64) -> String {
    let mut text = String::new();
    for number in 0..words {
        if number > 0 {
            text.push(' ');
        }
        text.push_str(numbers.pick(&WORDS));
    }
    match numbers.below(6) {
        0 => text.push_str(" \\\"as agreed\\\""),
        1 => text.push_str(".\\n- next"),
        _ => text.push('.'),
    }
    text
}

/// Digits of a fraction as clients print them: the last one is not zero.
fn fraction(numbers: &mut Numbers) -> u64 {
    (numbers.below(90) + 10) * 10 + numbers.below(9) + 1
}

/// Four objects, four arrays, a dozen numbers, escapes, some text that is not ASCII.
fn payload(numbers: &mut Numbers) -> String {
    let mut text = String::with_capacity(1200);
    push(
        &mut text,
        format_args!("{{\"tool\":\"{}\",\"attempt\":{}", numbers.pick(&TOOLS), numbers.below(4)),
    );
    push(&mut text, format_args!(",\"call_id\":\"call_{}\"", numbers.hex(1)));
    push(&mut text, format_args!(",\"model\":{{\"name\":\"{}\"", numbers.pick(&MODELS)));
    push(&mut text, format_args!(",\"temperature\":0.{}", numbers.below(9) + 1));
    push(&mut text, format_args!(",\"seed\":{},\"top_p\":0.95}}", numbers.below(1 << 31)));
    push(&mut text, format_args!(",\"usage\":{{\"input_tokens\":{}", numbers.below(20_000)));
    push(&mut text, format_args!(",\"output_tokens\":{}", numbers.below(4000)));
    push(&mut text, format_args!(",\"cached_tokens\":{}", numbers.below(16_000)));
    push(&mut text, format_args!(",\"cost_usd\":0.0{}}}", fraction(numbers)));
    let (system, user) = (sentence(numbers, 9), sentence(numbers, 24));
    push(
        &mut text,
        format_args!(
            ",\"messages\":[{{\"role\":\"system\",\"content\":\"{system}\"}},{{\"role\":\"user\",\"content\":\"{user}\"}}]"
        ),
    );
    let (subject, path) = (sentence(numbers, 5), numbers.hex(1));
    push(
        &mut text,
        format_args!(
            ",\"arguments\":{{\"subject\":\"{subject}\",\"path\":\"/var/data/{path}.json\",\"limit\":{},\"dry_run\":{},\"filter\":null}}",
            numbers.below(500),
            numbers.below(2) == 0
        ),
    );
    push(&mut text, format_args!(",\"result\":{{\"status\":{}", 200 + numbers.below(3)));
    push(&mut text, format_args!(",\"duration_ms\":{}.{}", numbers.below(9000), fraction(numbers)));
    let (summary, labels) = (sentence(numbers, 16), [numbers.pick(&WORDS), numbers.pick(&WORDS)]);
    push(
        &mut text,
        format_args!(
            ",\"summary\":\"{summary}\",\"rows\":[{},{},{}]",
            numbers.below(99),
            numbers.below(9),
            numbers.below(999)
        ),
    );
    push(&mut text, format_args!(",\"labels\":[\"{}\",\"{}\"]}}", labels[0], labels[1]));
    push(
        &mut text,
        format_args!(
            ",\"scores\":[0.{},{}.5,-{}]",
            fraction(numbers),
            numbers.below(9),
            numbers.below(40) + 1
        ),
    );
    push(
        &mut text,
        format_args!(
            ",\"approved_by\":\"user:{:04}\",\"final\":{}}}",
            numbers.below(3000),
            numbers.below(2) == 1
        ),
    );
    text
}

#[cfg(test)]
mod tests {
    use recorder_envelope::draft::Draft;
    use recorder_envelope::json::CanonicalPayload;

    use super::*;

    #[test]
    fn every_request_is_a_draft_of_about_a_kilobyte_and_none_is_canonical_already() {
        let mut canonical_bytes = 0;
        for index in 0..500 {
            let request = request(SEED, index);
            let draft = Draft::parse(&request.body).unwrap();
            let canonical = CanonicalPayload::parse(&request.payload).unwrap();
            assert_eq!(draft.payload, canonical);
            assert_ne!(canonical.as_bytes(), request.payload);
            canonical_bytes += canonical.as_bytes().len();
        }
        let mean = canonical_bytes / 500;
        assert!((950..=1050).contains(&mean), "{mean}");
    }

    #[test]
    fn a_seed_repeats_its_requests_and_another_gives_others() {
        assert_eq!(request(SEED, 7).body, request(SEED, 7).body);
        assert_ne!(request(SEED, 7).body, request(SEED + 1, 7).body);
        assert_ne!(request(SEED, 7).payload, request(SEED, 8).payload);
    }
}
