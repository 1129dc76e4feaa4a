//! What the verifier says of a bundle, reduced to what the corpus states.

use std::collections::BTreeSet;

use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::trust_root::TrustRoot;
use recorder_verify::{
    FindingCode, Report, Transcript, TranscriptInputs, VerifyError, VerifyOptions, verify,
};
use serde_json::{Value, json};

/// A verdict with all that led to it, or the limit that kept the verifier from one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Judgement {
    pub(crate) verdict: Option<String>,
    pub(crate) limit: Option<&'static str>,
    pub(crate) answers: Value,
    pub(crate) codes: BTreeSet<FindingCode>,
    pub(crate) transcript: Vec<u8>,
}

/// Verifies `bundle` against a trust root's file and the text of a known head.
pub(crate) fn judge(
    bundle: &[u8],
    trust_root: Option<&[u8]>,
    known_head: Option<&str>,
    threads: usize,
) -> Judgement {
    let options = VerifyOptions {
        trust_root: trust_root.map(|file| TrustRoot::parse(file).unwrap()),
        known_heads: known_head
            .map(|text| SignedCheckpoint::parse(text.as_bytes()).unwrap())
            .into_iter()
            .collect(),
        threads,
        ..VerifyOptions::default()
    };
    let bundle = bundle.to_vec();
    let transcript = |report: &Report| {
        let heads: Vec<_> = known_head.into_iter().map(str::as_bytes).collect();
        let inputs = TranscriptInputs::new(&bundle, trust_root, &heads, &options.limits);
        Transcript::new(report, &inputs.unwrap()).unwrap().as_bytes().to_vec()
    };
    match verify(&bundle, &options, &mut |_| {}) {
        Ok(report) => Judgement {
            verdict: Some(json!(report.verdict()).as_str().unwrap().to_owned()),
            limit: None,
            answers: json!(report.answers()),
            codes: report.finding_counts().keys().copied().collect(),
            transcript: transcript(&report),
        },
        Err(VerifyError::Limit { what, .. }) => Judgement {
            verdict: None,
            limit: Some(what),
            answers: Value::Null,
            codes: BTreeSet::new(),
            transcript: Vec::new(),
        },
        Err(error) => panic!("the bundle could not be judged: {error}"),
    }
}
