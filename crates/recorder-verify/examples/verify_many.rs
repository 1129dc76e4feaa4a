//! Verifies many bundles in one process, for comparison with another verifier: frames on standard
//! input, one line each on standard output.
//!
//! A frame is a line of JSON, `{"size_bytes":…,"trust_root":…,"known_heads":[…]}` (texts of files;
//! the trust root may be `null`), and then that many bytes of a bundle. The answer is the
//! transcript, or `{"error":…}` where nothing could be judged.
//!
//! Deliberately absent: files. Whoever compares has the bytes already.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};

use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::trust_root::TrustRoot;
use recorder_verify::{Transcript, TranscriptInputs, VerifyOptions, verify};

/// What the errors of a frame are told as.
type Told = Box<dyn std::error::Error>;

/// What stands before the bytes of a bundle.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    size_bytes: u32,
    trust_root: Option<String>,
    known_heads: Vec<String>,
}

fn main() -> Result<(), Told> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        let frame: Frame = serde_json::from_str(&line)?;
        let mut bundle = vec![0; usize::try_from(frame.size_bytes)?];
        input.read_exact(&mut bundle)?;
        match judged(&bundle, &frame) {
            Ok(transcript) => output.write_all(transcript.as_bytes())?,
            Err(error) => {
                let told = BTreeMap::from([("error", error.to_string())]);
                serde_json::to_writer(&mut output, &told)?;
            }
        }
        output.write_all(b"\n")?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}

/// Verifies the bundle of one frame.
fn judged(bundle: &[u8], frame: &Frame) -> Result<Transcript, Told> {
    let heads = frame.known_heads.iter().map(|head| SignedCheckpoint::parse(head.as_bytes()));
    let trust_root = frame.trust_root.as_ref().map(|root| TrustRoot::parse(root.as_bytes()));
    let options = VerifyOptions {
        trust_root: trust_root.transpose()?,
        known_heads: heads.collect::<Result<_, _>>()?,
        threads: 1,
        ..VerifyOptions::default()
    };
    let report = verify(&bundle, &options, &mut |_| {})?;
    let heads: Vec<&[u8]> = frame.known_heads.iter().map(String::as_bytes).collect();
    let trust_root = frame.trust_root.as_ref().map(String::as_bytes);
    let inputs = TranscriptInputs::new(&bundle, trust_root, &heads, &options.limits)?;
    Ok(Transcript::new(&report, &inputs)?)
}
