//! The newest checkpoint of each log of which a bundle verified here: an auditor's own memory.
//!
//! One note a file, for each pair of origin and key of a trust root. A head counts only under a key of the trust root
//! that is given now: nothing that a bundle says of itself chooses which head it is compared with. Where rotations led
//! from that key to the one that signed, the file begins with the latter: so a fork by an old key that leaked is held
//! against the heads of the keys that followed. Deliberately absent: forgetting.

use std::path::PathBuf;

use recorder_core::hash::{KeyId, sha256};
use recorder_core::identity::StreamId;
use recorder_core::limits::CHECKPOINT_BYTES_MAX;
use recorder_envelope::checkpoint::{self, SignedCheckpoint};
use recorder_envelope::signing::PublicKey;
use recorder_envelope::trust_root::TrustRoot;
use recorder_fs::{CasFile, FileError, Swap};
use recorder_verify::{Authenticity, Report, Verdict};

use crate::context::Context;
use crate::failure::Failure;
use crate::i18n::say;
use crate::settings::Environment;

/// Heads that are looked at.
const HEADS_MAX: usize = 10_000;

/// A head as it is kept.
struct Kept {
    name: String,
    file: Vec<u8>,
    note: Vec<u8>,
    head: SignedCheckpoint,
}

/// How the name of a head's file ends, by who signed it.
#[derive(Clone, Copy)]
enum Signed {
    /// A key of the trust root.
    ByRoot,
    /// A key that rotations led to from one.
    ByFollower,
}

/// The public key before the note of a follower, as hex digits, and the line's end.
const KEY_LINE_BYTES: usize = 65;

/// The kept heads that keys of one trust root signed.
pub(crate) struct KeptHeads {
    directory: PathBuf,
    keys: Vec<(KeyId, PublicKey)>,
    kept: Vec<Kept>,
}

impl KeptHeads {
    /// Reads the heads under `$XDG_STATE_HOME`, else `~/.local/state`; `None` for who has neither.
    ///
    /// # Errors
    ///
    /// `Failure` for a file that cannot be read, or is not what was kept: a memory that was tampered with is none.
    pub(crate) fn open(
        environment: &Environment,
        root: &TrustRoot,
    ) -> Result<Option<Self>, Failure> {
        let absolute = |name: &str| {
            environment.value(name).map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        let Some(state) = state else { return Ok(None) };
        let directory = state.join("recorder/heads");
        let keys = root.keys().iter().map(|key| (key.key_id(), *key.public_key())).collect();
        let mut heads = Self { directory, keys, kept: Vec::new() };
        for name in recorder_fs::file_names(&heads.directory, HEADS_MAX)? {
            heads.read(name)?;
        }
        Ok(Some(heads))
    }

    fn file(&self, name: &str) -> CasFile {
        CasFile::new(self.directory.join(name), CHECKPOINT_BYTES_MAX + KEY_LINE_BYTES as u64)
    }

    /// Reads one head; one by a key that is not trusted now says nothing.
    fn read(&mut self, name: String) -> Result<(), Failure> {
        let Some(file) = self.file(&name).read()? else { return Ok(()) };
        let refused =
            || Failure::KeptHead { path: self.directory.join(&name).display().to_string() };
        let (follower, note) = match name.ends_with(Signed::ByFollower.ending()) {
            true => {
                let (line, note) = file.split_at_checked(KEY_LINE_BYTES).ok_or_else(refused)?;
                let line = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
                let key = line.and_then(|line| PublicKey::from_hex(line).ok());
                (Some(key.ok_or_else(refused)?), note.to_vec())
            }
            false => (None, file.clone()),
        };
        let head = SignedCheckpoint::parse(&note).map_err(|_| refused())?;
        let signed = if follower.is_some() { Signed::ByFollower } else { Signed::ByRoot };
        let origin = head.checkpoint().origin();
        let is_of = |id: &KeyId| file_name(origin, id, signed) == name;
        let Some((_, root)) = self.keys.iter().find(|(id, _)| is_of(id)) else { return Ok(()) };
        if head.verify_log_signature(&follower.unwrap_or(*root)).is_err() {
            return Err(refused());
        }
        self.kept.push(Kept { name, file, note, head });
        Ok(())
    }

    /// The heads.
    pub(crate) fn heads(&self) -> Vec<SignedCheckpoint> {
        self.kept.iter().map(|kept| kept.head.clone()).collect()
    }

    /// The notes of those that are of `stream`, under whatever log name.
    pub(crate) fn notes_of(&self, stream: &StreamId) -> impl Iterator<Item = &[u8]> {
        let suffix = checkpoint::origin("", stream);
        let of_stream = move |kept: &&Kept| kept.head.checkpoint().origin().ends_with(&suffix);
        self.kept.iter().filter(of_stream).map(|kept| kept.note.as_slice())
    }

    /// Keeps the bundle's checkpoint, if the bundle is authentic and its log was shown to extend what was kept.
    ///
    /// The verdict stands whether or not the head can be kept, so a failure is only said.
    pub(crate) fn keep(&self, context: &Context, report: &Report) {
        match self.advance(report) {
            Ok(None) => {}
            Ok(Some((Swap::Done, new))) => context.output.note(&say!(
                context.locale(),
                note.head_kept,
                origin = new.checkpoint().origin(),
                size = new.checkpoint().tree_size(),
            )),
            Ok(Some((Swap::Moved, _))) => {
                context.output.note(say!(context.locale(), note.head_kept_meanwhile));
            }
            Err(error) => {
                context.output.note(&say!(context.locale(), note.head_not_kept, error = error));
            }
        }
    }

    fn advance<'a>(
        &self,
        report: &'a Report,
    ) -> Result<Option<(Swap, &'a SignedCheckpoint)>, FileError> {
        let believed = report.verdict() != Verdict::Invalid
            && report.answers().authenticity == Authenticity::Proven
            && !report.heads_doubted();
        let Some(new) = report.vouched_checkpoint().filter(|_| believed) else { return Ok(None) };
        let body = new.checkpoint();
        let Some(by) = report.checkpoint_key() else { return Ok(None) };
        let (signed, mut file) = match by.key.key_id() == by.rooted_in {
            true => (Signed::ByRoot, String::new()),
            false => (Signed::ByFollower, format!("{}\n", by.key.to_hex())),
        };
        file.push_str(&new.render());
        let name = file_name(body.origin(), &by.rooted_in, signed);
        let before = self.kept.iter().find(|kept| kept.name == name);
        if before.is_some_and(|kept| kept.head.checkpoint().tree_size() >= body.tree_size()) {
            return Ok(None);
        }
        recorder_fs::create_private_directory(&self.directory)?;
        let before = before.map(|kept| kept.file.as_slice());
        let swap = self.file(&name).swap(before, file.as_bytes())?;
        Ok(Some((swap, new)))
    }
}

impl Signed {
    const fn ending(self) -> &'static str {
        match self {
            Self::ByRoot => ".checkpoint",
            Self::ByFollower => ".rotated",
        }
    }
}

fn file_name(origin: &str, key_id: &KeyId, signed: Signed) -> String {
    let text = format!("{origin}\n{key_id}");
    let mut name: String =
        sha256(&[text.as_bytes()]).iter().map(|byte| format!("{byte:02x}")).collect();
    name.push_str(signed.ending());
    name
}
