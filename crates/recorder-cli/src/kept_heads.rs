//! The newest checkpoint of each log of which a bundle verified here: an auditor's own memory.
//!
//! One note a file, for each pair of origin and key. A head counts only under a key of the trust root that is given
//! now: nothing that a bundle says of itself chooses which head it is compared with. Deliberately absent: forgetting.

use std::path::PathBuf;

use recorder_core::hash::{KeyId, sha256};
use recorder_core::identity::StreamId;
use recorder_core::limits::CHECKPOINT_BYTES_MAX;
use recorder_envelope::checkpoint::{self, SignedCheckpoint};
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
    note: Vec<u8>,
    head: SignedCheckpoint,
}

/// The kept heads that keys of one trust root signed.
pub(crate) struct KeptHeads {
    directory: PathBuf,
    keys: Vec<(KeyId, recorder_envelope::signing::PublicKey)>,
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
        CasFile::new(self.directory.join(name), CHECKPOINT_BYTES_MAX)
    }

    /// Reads one head; one by a key that is not trusted now says nothing.
    fn read(&mut self, name: String) -> Result<(), Failure> {
        let Some(note) = self.file(&name).read()? else { return Ok(()) };
        let path = || self.directory.join(&name).display().to_string();
        let head =
            SignedCheckpoint::parse(&note).map_err(|_| Failure::KeptHead { path: path() })?;
        let origin = head.checkpoint().origin();
        let Some((_, key)) = self.keys.iter().find(|(id, _)| file_name(origin, id) == name) else {
            return Ok(());
        };
        if head.verify_log_signature(key).is_err() {
            return Err(Failure::KeptHead { path: path() });
        }
        self.kept.push(Kept { name, note, head });
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
        let signed_by = self.keys.iter().find(|(_, key)| new.verify_log_signature(key).is_ok());
        let Some((key_id, _)) = signed_by else { return Ok(None) };
        let name = file_name(body.origin(), key_id);
        let before = self.kept.iter().find(|kept| kept.name == name);
        if before.is_some_and(|kept| kept.head.checkpoint().tree_size() >= body.tree_size()) {
            return Ok(None);
        }
        recorder_fs::create_private_directory(&self.directory)?;
        let before = before.map(|kept| kept.note.as_slice());
        let swap = self.file(&name).swap(before, new.render().as_bytes())?;
        Ok(Some((swap, new)))
    }
}

fn file_name(origin: &str, key_id: &KeyId) -> String {
    let text = format!("{origin}\n{key_id}");
    let mut name: String =
        sha256(&[text.as_bytes()]).iter().map(|byte| format!("{byte:02x}")).collect();
    name.push_str(".checkpoint");
    name
}
