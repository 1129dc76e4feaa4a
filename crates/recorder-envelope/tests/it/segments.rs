//! The vectors under `docs/spec/vectors/segments`: geneses and seals, their canonical form and their hashes.

use recorder_core::hash::{ChainHash, SealHash, TreeHash};
use recorder_envelope::segment::{
    Predecessor, SealReason, SegmentGenesis, SegmentSeal, SignedSeal, SigningPromise,
};
use serde_json::{Value, json};

use crate::samples::{chained, genesis, key, seal, segment_id};
use crate::vector_file;

fn text(canonical: Vec<u8>) -> String {
    String::from_utf8(canonical).unwrap()
}

fn geneses() -> Vec<(&'static str, SegmentGenesis)> {
    let first = genesis();
    let mut silent = first.clone();
    silent.signing = SigningPromise::None;
    silent.heartbeat_seconds = 60;
    silent.stream.tenant_id = "Zo\u{eb} & \"S\u{f6}hne\"".parse().unwrap();
    let mut second = first.clone();
    second.segment_id = segment_id(2);
    second.segment_index = 1;
    second.first_position = 3;
    second.signing = SigningPromise::Envelopes;
    second.predecessor = Some(Predecessor {
        segment_id: segment_id(1),
        chain_head: ChainHash::from_bytes([0xab; 32]),
        seal_hash: SealHash::from_bytes([0xcd; 32]),
    });
    let mut last = second.clone();
    last.segment_index = (1 << 40) - 1;
    last.first_position = (1 << 40) - 1;
    last.heartbeat_seconds = (1 << 40) - 1;
    vec![
        ("the first", first),
        ("unsigned, with heartbeats", silent),
        ("the second", second),
        ("the last that can be", last),
    ]
}

fn seals() -> Vec<(String, SegmentSeal)> {
    let root = TreeHash::from_bytes([0xef; 32]);
    let reasons = [
        ("count", SealReason::Count),
        ("duration", SealReason::Duration),
        ("manual", SealReason::Manual),
        ("key_rotation", SealReason::KeyRotation),
        ("shutdown", SealReason::Shutdown),
    ];
    let of = |(name, reason): (&str, SealReason)| {
        (format!("for {name}"), SegmentSeal { reason, ..seal(&chained(3), root) })
    };
    reasons.into_iter().map(of).collect()
}

#[test]
fn geneses_have_their_published_hashes() {
    let cases: Vec<Value> = geneses()
        .into_iter()
        .map(|(name, genesis)| {
            let canonical = genesis.to_canonical();
            assert_eq!(SegmentGenesis::from_canonical(&canonical).unwrap(), genesis);
            json!({ "name": name, "genesis": text(canonical), "genesis_hash": genesis.hash() })
        })
        .collect();
    vector_file::check(
        "vectors/segments/geneses.json",
        "genesis is text whose UTF-8 bytes are meant; genesis_hash is their SHA-256.",
        &cases,
    );
}

#[test]
fn seals_have_their_published_hashes_and_signatures() {
    let cases: Vec<Value> = seals()
        .into_iter()
        .map(|(name, seal)| {
            let (canonical, seal_hash) = (seal.to_canonical(), seal.hash());
            let signed = SignedSeal { signature: Some(key().sign_seal(&seal_hash)), seal };
            let part = signed.to_canonical();
            assert_eq!(SignedSeal::from_canonical(&part).unwrap(), signed);
            json!({
                "name": name, "seal": text(canonical), "seal_hash": seal_hash, "part": text(part),
                "public_key": key().public_key().to_hex(),
            })
        })
        .collect();
    vector_file::check(
        "vectors/segments/seals.json",
        "seal is text whose UTF-8 bytes are meant; seal_hash is their SHA-256; part is the seal.json of a bundle, signed by public_key.",
        &cases,
    );
}

/// One change of a good genesis each.
const GENESIS_FAULTS: [(&str, &str, &str); 16] = [
    ("a position of 2^40", "\"first_position\":3", "\"first_position\":1099511627776"),
    ("an index of 2^40", "\"segment_index\":1", "\"segment_index\":1099511627776"),
    (
        "heartbeats of 2^40 seconds",
        "\"heartbeat_seconds\":0",
        "\"heartbeat_seconds\":1099511627776",
    ),
    ("a negative index", "\"segment_index\":1", "\"segment_index\":-1"),
    ("a fraction", "\"segment_index\":1", "\"segment_index\":1.0"),
    ("another hash algorithm", "sha256", "sha512"),
    ("another promise", "\"envelopes\"", "\"everything\""),
    ("an unknown member", "\"signing\"", "\"signature\":null,\"signing\""),
    ("another type", "recorder.segment-genesis/v1", "recorder.segment-genesis/v2"),
    (
        "a predecessor without its seal",
        ",\"segment_id\":\"019a4f00-0000-7000-9000-000000000001\"}",
        "}",
    ),
    ("no predecessor member", "\"predecessor\":", "\"before\":"),
    (
        "members out of order",
        "\"hash_algorithm\":\"sha256\",\"heartbeat_seconds\":0",
        "\"heartbeat_seconds\":0,\"hash_algorithm\":\"sha256\"",
    ),
    ("white space", "\"first_position\":3", "\"first_position\": 3"),
    ("a time of another spelling", "00:14:13.000000000Z", "00:14:13Z"),
    ("an escape that is not needed", "\"default\"", "\"def\\u0061ult\""),
    ("a blank tenant", "\"default\"", "\" \""),
];

/// One change of a good `seal.json` each.
const SEAL_FAULTS: [(&str, &str, &str); 10] = [
    ("a count of 2^40", "\"envelope_count\":3", "\"envelope_count\":1099511627776"),
    ("a size of 2^40", "\"tree_size\":3", "\"tree_size\":1099511627776"),
    ("another reason", "\"manual\"", "\"boredom\""),
    ("another type", "recorder.segment-seal/v1", "recorder.segment-seal/v2"),
    ("another algorithm", "ed25519", "ed448"),
    ("an upper-case key id", "\"key_id\":\"34750f98", "\"key_id\":\"34750F98"),
    ("no signature member", ",\"signature\":", ",\"sig\":"),
    ("an unknown member", "\"envelope_count\":3", "\"envelope_count\":3,\"extra\":0"),
    ("white space", "\"tree_size\":3", "\"tree_size\": 3"),
    ("bytes after the object", "\"}}", "\"}}\n"),
];

#[test]
fn objects_of_another_form_are_refused() {
    let genesis = text(geneses()[2].1.to_canonical());
    let seal = seals().swap_remove(2).1;
    let signed = SignedSeal { signature: Some(key().sign_seal(&seal.hash())), seal };
    let seal = text(signed.to_canonical());
    let mut cases = Vec::new();
    for (name, from, to) in GENESIS_FAULTS {
        assert!(genesis.contains(from), "{name}");
        let wrong = genesis.replacen(from, to, 1);
        assert!(SegmentGenesis::from_canonical(wrong.as_bytes()).is_err(), "{name}");
        cases.push(json!({ "name": name, "part": "genesis.json", "text": wrong }));
    }
    for (name, from, to) in SEAL_FAULTS {
        assert!(seal.contains(from), "{name}");
        let wrong = seal.replacen(from, to, 1);
        assert!(SignedSeal::from_canonical(wrong.as_bytes()).is_err(), "{name}");
        cases.push(json!({ "name": name, "part": "seal.json", "text": wrong }));
    }
    vector_file::check(
        "vectors/segments/refused.json",
        "Parts that break one rule of form each, whatever their hashes.",
        &cases,
    );
}
