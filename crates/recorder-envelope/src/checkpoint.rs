//! C2SP `tlog-checkpoint` v1: what a log says of itself at one size, signed by its key (evidence format §5).
//!
//! Three lines and no extension line: whatever else one would say belongs in the log, where it is
//! proven. Whether a checkpoint extends an earlier one is for consistency proofs, in `merkle`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use recorder_core::hash::TreeHash;
use recorder_core::identity::StreamId;
use recorder_core::signature::SIGNATURE_BYTES;

use crate::merkle::{EMPTY_ROOT, TREE_SIZE_MAX};
use crate::note::{
    ALGORITHM_COSIGNATURE, Note, NoteError, NoteSignature, NoteSignatureError, is_key_name,
    key_hash,
};
use crate::signing::{PublicKey, SecretKey};

/// The log name of a recorder that was given none.
pub const LOG_NAME_DEFAULT: &str = "recorder.local";

// All others are percent-encoded, so an origin has no slash, space or plus but those put here.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'~').remove(b'@').remove(b':').remove(b'-');

const TIMESTAMP_BYTES: usize = 8;

/// Why text is not a checkpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CheckpointError {
    /// The signed note around it is malformed.
    #[error("the checkpoint is not a signed note")]
    Note(#[from] NoteError),
    /// Not exactly three lines, each ended by a newline.
    #[error("a checkpoint has three lines: origin, size, root")]
    Shape,
    /// The origin is empty or could not name a key.
    #[error("the origin is not empty and holds neither white space nor a plus")]
    Origin,
    /// The size is not a decimal number without leading zeroes, or beyond `TREE_SIZE_MAX`.
    #[error("the size is a decimal number without leading zeroes")]
    Size,
    /// The root is not canonical base64 of 32 bytes.
    #[error("the root is 32 bytes in base64")]
    Root,
    /// A log of size 0 has one root only.
    #[error("an empty log has the root of the empty tree")]
    EmptyRoot,
    /// The first signature line, and it alone, is by the log, whose name is the origin.
    #[error("one signature line, the first, is by the log")]
    LogSignature,
}

/// The origin of a stream's log: `<log_name>/<tenant_id>/<recorder_id>`, each part percent-encoded
/// outside `[A-Za-z0-9._~@:-]`.
pub fn origin(log_name: &str, stream: &StreamId) -> String {
    let encode = |part| utf8_percent_encode(part, PLAIN);
    format!(
        "{}/{}/{}",
        encode(log_name),
        encode(stream.tenant_id.as_str()),
        encode(stream.recorder_id.as_str())
    )
}

/// Whether an origin is that of the stream's log, under whatever log name.
pub fn is_of_stream(name: &str, stream: &StreamId) -> bool {
    let suffix = origin("", stream);
    name.strip_suffix(&suffix).is_some_and(|log| !log.is_empty() && !log.contains('/'))
}

/// The root of a log at one size.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    origin: String,
    tree_size: u64,
    root: TreeHash,
}

impl Checkpoint {
    /// Says that the log `origin` has `root` at `tree_size`.
    ///
    /// # Errors
    ///
    /// `Origin`, `Size` or `EmptyRoot` for values that no checkpoint has.
    pub fn new(
        origin: impl Into<String>,
        tree_size: u64,
        root: TreeHash,
    ) -> Result<Self, CheckpointError> {
        let origin = origin.into();
        if !is_key_name(&origin) {
            return Err(CheckpointError::Origin);
        }
        if tree_size > TREE_SIZE_MAX {
            return Err(CheckpointError::Size);
        }
        if tree_size == 0 && root != EMPTY_ROOT {
            return Err(CheckpointError::EmptyRoot);
        }
        Ok(Self { origin, tree_size, root })
    }

    /// Reads the unsigned body. `render` gives the same text back.
    ///
    /// # Errors
    ///
    /// `CheckpointError`, by what is wrong first.
    pub fn parse(body: &str) -> Result<Self, CheckpointError> {
        let mut lines = body.strip_suffix('\n').ok_or(CheckpointError::Shape)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Shape);
        };
        Self::new(origin, parse_size(size)?, parse_root(root)?)
    }

    /// The body: what is signed.
    pub fn render(&self) -> String {
        let root = STANDARD.encode(self.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin, self.tree_size)
    }

    /// The name of the log, and of its key.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Leaves in the log.
    pub const fn tree_size(&self) -> u64 {
        self.tree_size
    }

    /// The RFC 6962 root over them.
    pub const fn root(&self) -> TreeHash {
        self.root
    }

    /// Signs as the log.
    ///
    /// Whoever calls it has made sure that the log never signed another root for this size, nor a
    /// head that this one does not extend.
    ///
    /// # Errors
    ///
    /// `Note(TooLarge)` for an origin of many kilobytes.
    pub fn sign(self, key: &SecretKey) -> Result<SignedCheckpoint, CheckpointError> {
        let body = self.render();
        let signature = NoteSignature::sign(&body, &self.origin, key)?;
        let note = Note::new(body, vec![signature])?;
        Ok(SignedCheckpoint { checkpoint: self, note })
    }

    /// The message of an Ed25519 cosignature at `timestamp` (seconds since 1970).
    fn cosigned_message(&self, timestamp: u64) -> String {
        format!("cosignature/v1\ntime {timestamp}\n{}", self.render())
    }
}

/// A checkpoint with the log's signature and whatever cosignatures it has gathered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    /// Reads a signed checkpoint. `render` gives the same bytes back. No signature is verified yet.
    ///
    /// # Errors
    ///
    /// `CheckpointError`, by what is wrong first.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        Self::of(checkpoint, note)
    }

    /// The checkpoint, signed note and all, as it is stored and sent.
    pub fn render(&self) -> String {
        self.note.render()
    }

    /// What the log says. To be believed only after `verify_log_signature`.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// All signature lines: the log's, then the others' in their order.
    pub fn signatures(&self) -> &[NoteSignature] {
        self.note.signatures()
    }

    /// Adds a witness's line after those that are there.
    ///
    /// # Errors
    ///
    /// `LogSignature` for a line in the log's own name; `Note` where the note grows beyond its bounds.
    pub fn with_signature(self, signature: NoteSignature) -> Result<Self, CheckpointError> {
        let mut signatures = self.note.signatures().to_vec();
        signatures.push(signature);
        let note = Note::new(self.note.text().to_owned(), signatures)?;
        Self::of(self.checkpoint, note)
    }

    /// Checks the log's own signature. The key's name is the origin.
    ///
    /// # Errors
    ///
    /// `NotSigned` where the log's line is by another key, `Invalid` where it does not hold.
    pub fn verify_log_signature(&self, key: &PublicKey) -> Result<(), NoteSignatureError> {
        self.note.verify(self.checkpoint.origin(), key)
    }

    /// Checks the Ed25519 cosignature of a witness and gives its time, in seconds since 1970.
    ///
    /// A witness that cosigned more than once is taken at its earliest time.
    ///
    /// # Errors
    ///
    /// `NotSigned` where no line is by that witness, `Invalid` where one that is does not hold.
    pub fn verify_cosignature(
        &self,
        name: &str,
        key: &PublicKey,
    ) -> Result<u64, NoteSignatureError> {
        let mut earliest = u64::MAX;
        for signature in self.note.signatures_by(name, ALGORITHM_COSIGNATURE, key)? {
            let (timestamp, value) = signature
                .value()
                .split_first_chunk::<TIMESTAMP_BYTES>()
                .ok_or(NoteSignatureError::Invalid)?;
            let value: &[u8; SIGNATURE_BYTES] =
                value.try_into().map_err(|_| NoteSignatureError::Invalid)?;
            let timestamp = u64::from_be_bytes(*timestamp);
            if i64::try_from(timestamp).is_err() {
                return Err(NoteSignatureError::Invalid);
            }
            key.verify_strict(self.checkpoint.cosigned_message(timestamp).as_bytes(), value)
                .map_err(|_| NoteSignatureError::Invalid)?;
            earliest = earliest.min(timestamp);
        }
        Ok(earliest)
    }

    fn of(checkpoint: Checkpoint, note: Note) -> Result<Self, CheckpointError> {
        let by_log = |line: &NoteSignature| line.name() == checkpoint.origin();
        match note.signatures() {
            [first, rest @ ..] if by_log(first) && !rest.iter().any(by_log) => {
                Ok(Self { checkpoint, note })
            }
            _ => Err(CheckpointError::LogSignature),
        }
    }
}

/// Cosigns a checkpoint as the witness `name` at `timestamp` (seconds since 1970), C2SP `tlog-cosignature`.
///
/// Whoever calls it has checked the log's signature and that this is the largest head it has seen.
///
/// # Errors
///
/// `Note(KeyName)` for a bad name.
pub fn cosign(
    checkpoint: &Checkpoint,
    name: &str,
    key: &SecretKey,
    timestamp: u64,
) -> Result<NoteSignature, CheckpointError> {
    let hash = key_hash(name, ALGORITHM_COSIGNATURE, key.public_key().as_bytes());
    let value = key.sign(checkpoint.cosigned_message(timestamp).as_bytes());
    let value = [timestamp.to_be_bytes().as_slice(), &value].concat();
    Ok(NoteSignature::new(name, hash, value)?)
}

fn parse_size(text: &str) -> Result<u64, CheckpointError> {
    let canonical = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    if !canonical {
        return Err(CheckpointError::Size);
    }
    text.parse().map_err(|_| CheckpointError::Size)
}

fn parse_root(text: &str) -> Result<TreeHash, CheckpointError> {
    let bytes = STANDARD.decode(text).map_err(|_| CheckpointError::Root)?;
    let bytes = bytes.try_into().map_err(|_| CheckpointError::Root)?;
    Ok(TreeHash::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use recorder_core::identity::{RecorderId, TenantId};

    use super::*;

    // The examples of the specifications; their keys are not published.
    const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed(&[n; 32]).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint::new("recorder.local/a/b", 7, TreeHash::from_bytes([9; 32])).unwrap()
    }

    fn stream(tenant_id: &str, recorder_id: &str) -> StreamId {
        StreamId {
            tenant_id: TenantId::new(tenant_id).unwrap(),
            recorder_id: RecorderId::new(recorder_id).unwrap(),
        }
    }

    #[test]
    fn the_published_checkpoint_is_read_and_written_back() {
        let signed = SignedCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(signed.checkpoint().origin(), "example.com/behind-the-sofa");
        assert_eq!(signed.checkpoint().tree_size(), 20_852_163);
        assert_eq!(signed.signatures()[1].name(), "witness.example.com/w1");
        assert_eq!(signed.render(), EXAMPLE);
    }

    #[test]
    fn a_checkpoint_verifies_under_the_key_of_its_log_alone() {
        let signed = checkpoint().sign(&key(1)).unwrap();
        let read = SignedCheckpoint::parse(signed.render().as_bytes()).unwrap();
        assert_eq!(read, signed);
        assert_eq!(read.verify_log_signature(&key(1).public_key()), Ok(()));
        assert_eq!(
            read.verify_log_signature(&key(2).public_key()),
            Err(NoteSignatureError::NotSigned)
        );
    }

    #[test]
    fn every_changed_line_of_the_body_breaks_the_signature() {
        let rendered = checkpoint().sign(&key(1)).unwrap().render();
        let root = STANDARD.encode([9; 32]);
        let other_root = STANDARD.encode([8; 32]);
        for (from, to) in [("\n7\n", "\n8\n"), (root.as_str(), other_root.as_str())] {
            let changed = rendered.replacen(from, to, 1);
            assert_ne!(changed, rendered);
            let read = SignedCheckpoint::parse(changed.as_bytes()).unwrap();
            let refused = read.verify_log_signature(&key(1).public_key());
            assert_eq!(refused, Err(NoteSignatureError::Invalid));
        }
        // Under another origin the key has another hash.
        let moved = rendered.replace("recorder.local/a/b", "recorder.local/a/c");
        let read = SignedCheckpoint::parse(moved.as_bytes()).unwrap();
        let refused = read.verify_log_signature(&key(1).public_key());
        assert_eq!(refused, Err(NoteSignatureError::NotSigned));
    }

    #[test]
    fn malformed_bodies_are_refused() {
        let root = STANDARD.encode([9; 32]);
        let empty = STANDARD.encode(EMPTY_ROOT.as_bytes());
        assert!(Checkpoint::parse(&format!("a\n0\n{empty}\n")).is_ok());
        for (body, error) in [
            (String::new(), CheckpointError::Shape),
            (format!("a\n7\n{root}"), CheckpointError::Shape),
            ("a\n7\n".to_owned(), CheckpointError::Shape),
            (format!("a\n7\n{root}\nextension\n"), CheckpointError::Shape),
            (format!("a\n7\n{root}\n\n"), CheckpointError::Shape),
            (format!("\n7\n{root}\n"), CheckpointError::Origin),
            (format!("a b\n7\n{root}\n"), CheckpointError::Origin),
            (format!("a+b\n7\n{root}\n"), CheckpointError::Origin),
            (format!("a\n07\n{root}\n"), CheckpointError::Size),
            (format!("a\n00\n{empty}\n"), CheckpointError::Size),
            (format!("a\n+7\n{root}\n"), CheckpointError::Size),
            (format!("a\n-7\n{root}\n"), CheckpointError::Size),
            (format!("a\n 7\n{root}\n"), CheckpointError::Size),
            (format!("a\n7.0\n{root}\n"), CheckpointError::Size),
            (format!("a\n\n{root}\n"), CheckpointError::Size),
            (format!("a\n٧\n{root}\n"), CheckpointError::Size),
            (format!("a\n4611686018427387905\n{root}\n"), CheckpointError::Size),
            (format!("a\n18446744073709551616\n{root}\n"), CheckpointError::Size),
            (format!("a\n7\n{}\n", STANDARD.encode([9; 31])), CheckpointError::Root),
            (format!("a\n7\n{}\n", STANDARD.encode([9; 33])), CheckpointError::Root),
            (format!("a\n7\n{}\n", root.trim_end_matches('=')), CheckpointError::Root),
            (format!("a\n7\n{}\n", root.replacen("Qk=", "Ql=", 1)), CheckpointError::Root),
            (format!("a\n0\n{root}\n"), CheckpointError::EmptyRoot),
        ] {
            assert_eq!(Checkpoint::parse(&body).unwrap_err(), error, "{body:?}");
        }
    }

    #[test]
    fn the_first_line_and_only_the_first_is_by_the_log() {
        let signed = checkpoint().sign(&key(1)).unwrap();
        let line = signed.render().rsplit_once("\n\n").unwrap().1.to_owned();
        let body = checkpoint().render();
        for lines in [
            format!("— witness.example AAAAAAAB\n{line}"),
            "— witness.example AAAAAAAB\n".to_owned(),
            format!("{line}{line}"),
        ] {
            let error = SignedCheckpoint::parse(format!("{body}\n{lines}").as_bytes()).unwrap_err();
            assert_eq!(error, CheckpointError::LogSignature);
        }
    }

    #[test]
    fn a_cosignature_gives_the_time_of_its_witness() {
        let name = "witness.example.com/w1";
        let line = cosign(&checkpoint(), name, &key(2), 1_790_000_000).unwrap();
        let later = cosign(&checkpoint(), name, &key(2), 1_790_000_005).unwrap();
        let signed = checkpoint().sign(&key(1)).unwrap();
        let signed = signed.with_signature(later).unwrap().with_signature(line).unwrap();
        let read = SignedCheckpoint::parse(signed.render().as_bytes()).unwrap();
        let witness = key(2).public_key();
        assert_eq!(read.verify_cosignature(name, &witness), Ok(1_790_000_000));
        assert_eq!(read.verify_log_signature(&key(1).public_key()), Ok(()));
        let not_signed = Err(NoteSignatureError::NotSigned);
        assert_eq!(read.verify_cosignature("witness.example.com/w2", &witness), not_signed);
        assert_eq!(read.verify_cosignature(name, &key(3).public_key()), not_signed);
    }

    #[test]
    fn a_cosignature_of_another_time_or_head_is_refused() {
        let name = "witness.example.com/w1";
        let line = cosign(&checkpoint(), name, &key(2), 1_790_000_000).unwrap();
        let mut redated = line.value().to_vec();
        redated[7] ^= 1;
        let redated = NoteSignature::new(name, line.key_hash(), redated).unwrap();
        let other = Checkpoint::new("recorder.local/a/b", 8, checkpoint().root()).unwrap();
        let other = cosign(&other, name, &key(2), 1_790_000_000).unwrap();
        let distant = cosign(&checkpoint(), name, &key(2), 1 << 63).unwrap();
        for wrong in [redated, other, distant] {
            let signed = checkpoint().sign(&key(1)).unwrap().with_signature(wrong).unwrap();
            let refused = signed.verify_cosignature(name, &key(2).public_key());
            assert_eq!(refused, Err(NoteSignatureError::Invalid));
        }
    }

    #[test]
    fn an_origin_keeps_its_parts_apart() {
        assert_eq!(
            origin("recorder.local", &stream("default", "cli")),
            "recorder.local/default/cli"
        );
        assert_eq!(origin("l", &stream("a/b", "c")), "l/a%2Fb/c");
        assert_eq!(origin("l", &stream("a", "b/c")), "l/a/b%2Fc");
        assert_eq!(origin("l", &stream("a%2Fb", "c")), "l/a%252Fb/c");
        assert_eq!(origin("l", &stream("a b+c", "Zoë")), "l/a%20b%2Bc/Zo%C3%AB");
        assert_eq!(origin("l", &stream("a._~@:-Z", "0")), "l/a._~@:-Z/0");
        assert!(is_key_name(&origin("my log\n", &stream("日本", "a\u{3000}b"))));
    }
}
