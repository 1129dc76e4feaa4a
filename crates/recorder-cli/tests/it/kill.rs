//! `kill -9` in the middle of an import, many times: nothing that was acknowledged is lost, nothing stands twice.
//!
//! The moments follow from a seed: the importer reads a pipe, which holds some 160 lines, and is killed a random
//! moment after a random number of bytes has gone in, while it still works on those before.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Run, Sandbox, draft, envelope_id};

const KILLS: u64 = 50;

const LINES: u64 = 3000;

/// Some milliseconds: about the time of one commit.
const SPINS_MAX: u64 = 500_000;

const SEED: &str = "0909090909090909090909090909090909090909090909090909090909090909";

/// SplitMix64 (Steele, Lea and Flood 2014): the same moments on every machine, as far as scheduling lets them be.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// Receipts by envelope id.
type Receipts = BTreeMap<String, Value>;

fn environment() -> [(&'static str, &'static str); 5] {
    [
        ("RECORDER_PROFILE", "dev"),
        ("RECORDER_HEAD_GUARD", "strict"),
        ("RECORDER_DEV_SIGNER_SEED", SEED),
        ("RECORDER_AUTO_SEAL_MODE", "after_count"),
        ("RECORDER_AUTO_SEAL_COUNT", "400"),
    ]
}

fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let arguments = [&["--json"], arguments].concat();
    let run = Run::of(sandbox.command(&arguments).envs(environment()));
    assert_eq!(run.code, 0, "{arguments:?}: {} {}", run.stdout, run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// Feeds the importer `bytes` and kills it. Whatever it acknowledged stands in the receipts file.
fn import_and_kill(sandbox: &Sandbox, bytes: &[u8], random: &mut Random, receipts: &str) {
    let batch = (1 + random.below(64)).to_string();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("recorder"))
        .args(["--json", "envelope", "import", "-", "--batch", &batch, "--receipts", receipts])
        .env_clear()
        .envs(environment())
        .current_dir(&sandbox.root)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The pipe stays open until after the kill: the importer never sees the end of its input.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(bytes).unwrap();
    for _ in 0..random.below(SPINS_MAX) {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    drop(stdin);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status:?}");
}

/// The receipts of one run; the last line may have been cut by the kill, and then acknowledges nothing.
fn read_receipts(sandbox: &Sandbox, name: &str, all: &mut Receipts) {
    let Ok(text) = std::fs::read_to_string(sandbox.path(name)) else { return };
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let receipt: Value = serde_json::from_str(line).unwrap();
        let id = receipt["envelope_id"].as_str().unwrap().to_owned();
        if let Some(before) = all.get(&id) {
            for member in ["position", "content_hash", "chain_hash", "recorded_at"] {
                assert_eq!(
                    before[member], receipt[member],
                    "{id} was acknowledged twice, differently"
                );
            }
        }
        all.insert(id, receipt);
    }
}

/// The database holds every acknowledged envelope exactly once, as acknowledged; gives how many it holds.
fn check(sandbox: &Sandbox, receipts: &Receipts) -> u64 {
    let fsck = json(sandbox, &["fsck"]);
    assert_eq!(fsck["clean"], true, "{fsck}");
    let found = json(sandbox, &["query", "envelopes", "--limit", "10000"]);
    let mut stored = BTreeMap::new();
    for envelope in found["envelopes"].as_array().unwrap() {
        let id = envelope["envelope_id"].as_str().unwrap();
        assert!(stored.insert(id, envelope).is_none(), "{id} stands twice");
    }
    for (id, receipt) in receipts {
        let envelope = stored
            .get(id.as_str())
            .unwrap_or_else(|| unreachable!("{id} was acknowledged and is lost"));
        for member in [
            "position",
            "sequence",
            "segment_id",
            "content_hash",
            "chain_hash",
            "payload_commitment",
            "recorded_at",
        ] {
            assert_eq!(envelope[member], receipt[member], "{id}: {member}");
        }
    }
    stored.len() as u64
}

#[test]
fn what_was_acknowledged_survives_every_kill() {
    let sandbox = Sandbox::new();
    json(&sandbox, &["init"]);
    let lines: Vec<String> = (0..LINES).map(|number| draft(number) + "\n").collect();
    let (mut random, mut receipts) = (Random(1), Receipts::new());
    let (mut stored, mut busy) = (0, 0);
    for kill in 0..KILLS {
        // Now among what is there already, now far enough beyond it that something is added.
        let full = match kill % 2 {
            0 => random.below(stored + 1),
            _ => stored + 100 + random.below(400),
        };
        let (full, part) = (full.min(LINES - 1), random.below(200));
        let mut input = lines[..full as usize].concat();
        input.push_str(&lines[full as usize][..part as usize]);
        let name = format!("receipts-{kill}.jsonl");
        import_and_kill(&sandbox, input.as_bytes(), &mut random, &name);
        read_receipts(&sandbox, &name, &mut receipts);
        let now = check(&sandbox, &receipts);
        assert!(now >= stored, "the stream became shorter");
        busy += u64::from(now < full);
        stored = now;
    }
    assert!(busy > 0, "no kill met an importer that still worked");
    assert!(stored > 0 && !receipts.is_empty(), "no import got anywhere");
    finish(&sandbox, &lines.concat(), stored);
}

/// The same input once more completes it, and the whole verifies.
fn finish(sandbox: &Sandbox, input: &str, stored: u64) {
    sandbox.write("in.jsonl", input);
    let answer = json(sandbox, &["envelope", "import", "in.jsonl"]);
    assert_eq!(answer["replayed"].as_u64(), Some(stored));
    assert_eq!(answer["accepted"].as_u64(), Some(LINES - stored));
    assert_eq!(check(sandbox, &Receipts::new()), LINES);
    let last = json(sandbox, &["query", "envelopes", "--envelope-id", &envelope_id(LINES - 1)]);
    assert_eq!(last["envelopes"].as_array().unwrap().len(), 1);
    let built = json(sandbox, &["bundle", "build", "--all", "--output", "all.recorder.zip"]);
    assert_eq!(built["envelope_count"].as_u64(), Some(LINES));
    let verified =
        json(sandbox, &["bundle", "verify", "all.recorder.zip", "--trust-root", "trust-root.json"]);
    assert_eq!(verified["verdict"], "valid");
    assert_eq!(verified["subject"]["envelope_count"].as_u64(), Some(LINES));
}
