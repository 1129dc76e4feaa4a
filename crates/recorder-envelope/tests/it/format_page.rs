//! The worked examples of `docs/spec/evidence-format.md` are what the code computes, byte for byte.
//!
//! An example is a fenced block after a line `<!-- example: NAME -->`.

use recorder_core::hash::TreeHash;
use recorder_core::identity::is_forbidden;
use recorder_envelope::checkpoint::{Checkpoint, LOG_NAME_DEFAULT, origin};
use recorder_envelope::dsse::{MANIFEST_PAYLOAD_TYPE, pre_authentication_encoding};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle::{self, CompactRange};
use recorder_envelope::preimage;
use recorder_envelope::segment::SignedSeal;
use sha2::{Digest as _, Sha256};

use crate::samples::{chained, genesis, hex, key, line_of, link_preimage, seal, stream, view_of};
use crate::vector_file;

const PAGE: &str = "evidence-format.md";

type Examples = Vec<(&'static str, String)>;

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn envelope_examples(envelope: &SealedEnvelope) -> Examples {
    let salted = envelope.payload.as_ref().unwrap();
    let commitment = [&[3], salted.salt.as_bytes().as_slice(), salted.payload.as_bytes()].concat();
    let view = view_of(envelope);
    let previous = preimage::chain_start(&genesis().hash());
    let link = link_preimage(envelope, &previous);
    assert_eq!(sha256(&commitment), envelope.payload_commitment.to_string());
    assert_eq!(sha256(view.as_bytes()), envelope.content_hash.to_string());
    assert_eq!(sha256(&link), envelope.chain_hash.to_string());
    vec![
        ("payload", salted.payload.as_str().to_owned()),
        ("commitment preimage", hex(&commitment)),
        ("payload_commitment", sha256(&commitment)),
        ("hashable view", view.clone()),
        ("content_hash", sha256(view.as_bytes())),
        ("chain preimage", hex(&link)),
        ("chain_hash", sha256(&link)),
        ("line", line_of(envelope)),
    ]
}

/// Three leaves: the root over the first two, and the third beside it.
fn log_examples(envelopes: &[SealedEnvelope]) -> Examples {
    let leaves: Vec<TreeHash> =
        envelopes.iter().map(|envelope| merkle::leaf_hash(&envelope.chain_hash)).collect();
    let node = merkle::node_hash(&leaves[0], &leaves[1]);
    let root = merkle::node_hash(&node, &leaves[2]);
    let mut range = CompactRange::empty();
    leaves.iter().for_each(|leaf| range.push(*leaf));
    assert_eq!(range.root().unwrap(), root);
    let path = [leaves[0], leaves[2]];
    merkle::verify_inclusion(&leaves[1], 1, 3, &path, &root).unwrap();
    let inclusion =
        recorder_envelope::bundle::ProofLine::Inclusion { position: 1, path: path.to_vec() };
    let listed: Vec<String> = leaves.iter().map(ToString::to_string).collect();
    vec![
        ("leaves", listed.join("\n")),
        ("node", node.to_string()),
        ("root", root.to_string()),
        ("inclusion line", String::from_utf8(inclusion.to_canonical()).unwrap()),
    ]
}

fn signed_examples(envelopes: &[SealedEnvelope], root: TreeHash) -> Examples {
    let seal = seal(envelopes, root);
    let canonical = String::from_utf8(seal.to_canonical()).unwrap();
    let seal_hash = seal.hash();
    let message = recorder_envelope::signing::seal_message(&seal_hash);
    let signed = SignedSeal { signature: Some(key().sign_seal(&seal_hash)), seal };
    let origin = origin(LOG_NAME_DEFAULT, &stream());
    let checkpoint = Checkpoint::new(origin, 3, root).unwrap().sign(&key()).unwrap();
    vec![
        (
            "key",
            format!(
                "seed        {}\npublic_key  {}\nkey_id      {}",
                hex(&[1; 32]),
                key().public_key().to_hex(),
                key().key_id()
            ),
        ),
        (
            "manifest message",
            String::from_utf8(pre_authentication_encoding(MANIFEST_PAYLOAD_TYPE, b"{}")).unwrap(),
        ),
        ("seal", canonical),
        ("seal_hash", seal_hash.to_string()),
        ("seal message", hex(&message)),
        ("signed seal", String::from_utf8(signed.to_canonical()).unwrap()),
        ("checkpoint", checkpoint.render().trim_end_matches('\n').to_owned()),
    ]
}

/// All code points that hold, as ranges, eight a line.
fn ranges(holds: impl Fn(u32) -> bool) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for point in (0..=0x0010_ffff).filter(|point| holds(*point)) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == point => *last = point,
            _ => ranges.push((point, point)),
        }
    }
    let spelled = |(first, last): &(u32, u32)| {
        if first == last { format!("{first:04X}") } else { format!("{first:04X}-{last:04X}") }
    };
    let lines = ranges.chunks(8).map(|line| line.iter().map(spelled).collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

fn character_examples() -> Examples {
    // Surrogates are no characters of UTF-8; category Cs is listed for readers that work on UTF-16.
    let forbidden = |point| char::from_u32(point).is_none_or(is_forbidden);
    let white = |point| char::from_u32(point).is_some_and(char::is_whitespace);
    vec![("white space", ranges(white)), ("forbidden characters", ranges(forbidden))]
}

fn examples() -> Examples {
    let envelopes = chained(3);
    let genesis = genesis();
    let mut examples = character_examples();
    examples.extend([
        ("genesis", String::from_utf8(genesis.to_canonical()).unwrap()),
        ("genesis_hash", genesis.hash().to_string()),
    ]);
    examples.extend(envelope_examples(&envelopes[0]));
    let log = log_examples(&envelopes);
    let root: TreeHash = log.iter().find(|(name, _)| *name == "root").unwrap().1.parse().unwrap();
    examples.extend(log);
    examples.extend(signed_examples(&envelopes, root));
    examples
}

/// The page with `text` in the block called `name`, which it must have exactly once.
fn with_example(page: &str, name: &str, text: &str) -> String {
    let mark = format!("<!-- example: {name} -->\n```text\n");
    let (before, rest) = page.split_once(&mark).unwrap_or_else(|| panic!("no example {name}"));
    assert!(!rest.contains(&mark), "two examples {name}");
    let (_, after) = rest.split_once("\n```\n").unwrap();
    format!("{before}{mark}{text}\n```\n{after}")
}

#[test]
fn the_examples_of_the_page_are_what_is_computed() {
    let page = vector_file::read(PAGE);
    let examples = examples();
    let marks = page.matches("<!-- example: ").count();
    assert_eq!(marks, examples.len());
    let computed = examples.iter().fold(page, |page, (name, text)| with_example(&page, name, text));
    vector_file::check_text(PAGE, &computed);
}
