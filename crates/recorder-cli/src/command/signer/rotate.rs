//! `signer rotate`: one key ends and another begins, in every stream of the recorder.
//!
//! In this order: the new key's file, the streams one by one, the trust root, and last the configuration. Whatever is
//! interrupted is finished by the same command: a key file that is there is used, streams that are rotated are left
//! alone. Deliberately absent: destroying the old key, of which nobody knows whether it is needed again.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use recorder::{OldKey, Rotated, RotationReport, RotationRequest};
use recorder_envelope::rotation::check_reason;
use recorder_envelope::signing::{PublicKey, SecretKey};
use recorder_envelope::trust_root::TrustRoot;
use recorder_fs::Access;
use serde::Serialize;

use super::{KEY_NAME, KeyAnswer, trust};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::label;
use crate::i18n::{Locale, say};
use crate::output::{Answer, Page, Tone};
use crate::passphrase::PassphraseSource;
use crate::settings::{self, Key, Origin, Settings};
use crate::signer::{self, SignerError};

/// What stands in the log where nothing else was given.
const REASON: &str = "a planned rotation";

/// Rotates the signing key.
#[derive(Args, Debug)]
pub(crate) struct Rotate {
    /// File of the new key; a key is made where there is none [default: the old key's name and the next number]
    #[arg(long, value_name = "FILE")]
    new_key: Option<PathBuf>,
    /// File with the new key's passphrase [default: that of the old key]
    #[arg(long, value_name = "FILE", conflicts_with = "new_passphrase_fd")]
    new_passphrase_file: Option<PathBuf>,
    /// Open descriptor with the new key's passphrase
    #[arg(long, value_name = "N")]
    new_passphrase_fd: Option<u32>,
    /// Do not encrypt a new key; not under profile secure
    #[arg(long)]
    plaintext: bool,
    /// Why; it stands in the log for ever
    #[arg(long, value_name = "TEXT", required_if_eq("break_glass", "true"))]
    reason: Option<String>,
    /// Without the old key, which is lost or leaked: only a trust root that names the new key then trusts it
    #[arg(long)]
    break_glass: bool,
    /// Public half of the lost key, where nothing in the log names it
    #[arg(long, value_name = "HEX", requires = "break_glass")]
    old_public_key: Option<String>,
}

/// What became of a file that the rotation concerns.
#[derive(Serialize)]
struct FileAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    updated: bool,
    /// What has to stand in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    to_write: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct Done {
    break_glass: bool,
    rotated: Vec<Rotated>,
    rotated_before: Vec<Rotated>,
    untouched: Vec<String>,
    key: KeyAnswer,
    trust_root: FileAnswer,
    config: FileAnswer,
    next_steps: Vec<String>,
}

impl Answer for Done {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        for it in &self.rotated {
            let (position, epoch) = (it.effective_position, it.epoch);
            let text =
                say!(locale, rotate.done, stream = it.stream, position = position, epoch = epoch);
            page.pieces(&[(Tone::Good, say!(locale, rotate.rotated)), (Tone::Plain, &text)])?;
        }
        for it in &self.rotated_before {
            page.line(&say!(locale, rotate.before, stream = it.stream))?;
        }
        for stream in &self.untouched {
            page.line(&say!(locale, rotate.untouched, stream = stream))?;
        }
        self.key.print(page)?;
        for (label, file) in
            [(&label::trust_root, &self.trust_root), (&label::config, &self.config)]
        {
            if let Some(path) = file.path.as_ref().filter(|_| file.updated) {
                page.field(label, &say!(locale, rotate.updated, path = path.display()))?;
            }
        }
        page.line("")?;
        page.pieces(&[(Tone::Strong, say!(locale, init.next_steps))])?;
        self.next_steps.iter().try_for_each(|step| page.line(&format!("  {step}")))
    }
}

impl Rotate {
    /// Rotates, and says what is left to do.
    pub(super) fn run(self, context: &Context, settings: &Settings) -> Result<Exit, Failure> {
        if context.signer_is_seed(settings) {
            let text = say!(context.locale(), rotate.seed);
            return Err(Failure::Usage(text.to_owned()));
        }
        let path = self.new_path(settings)?;
        let reason = self.reason.clone().unwrap_or_else(|| REASON.to_owned());
        check_reason(&reason).map_err(|error| Failure::Rotate(error.into()))?;
        let (public_key, report) = match settings.key_path.as_ref() == Some(&path) {
            true => already(context, settings)?,
            false => self.rotate(context, settings, &path, reason)?,
        };
        let trust_root = trust_root(settings, &public_key, &report)?;
        let config = self.config(settings, &path)?;
        let untouched = report.untouched.iter().map(ToString::to_string).collect();
        context.output.answer(&Done {
            break_glass: self.break_glass,
            next_steps: self.next_steps(settings, &trust_root, &config, context.locale()),
            rotated: report.rotated,
            rotated_before: report.rotated_before,
            untouched,
            key: KeyAnswer::new(settings, &public_key, Some(path)),
            trust_root,
            config,
        })?;
        Ok(Exit::Done)
    }

    /// Where the new key is, or is to be.
    fn new_path(&self, settings: &Settings) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.new_key {
            return Ok(path.clone());
        }
        let old = settings.key_path.as_ref().ok_or(SignerError::NotConfigured)?;
        Ok(next_name(old))
    }

    fn rotate(
        &self,
        context: &Context,
        settings: &Settings,
        path: &Path,
        reason: String,
    ) -> Result<(PublicKey, RotationReport), Failure> {
        let old = match self.break_glass {
            true => OldKey::Lost(self.candidates(settings)?),
            false => {
                let signer = context.signer(settings)?.ok_or(SignerError::NotConfigured)?;
                OldKey::Held(signer.key)
            }
        };
        let new = self.key(context, settings, path)?;
        let public_key = new.public_key();
        let report = context.rotate(settings, RotationRequest { old, new, reason })?;
        Ok((public_key, report))
    }

    /// Keys that may be the lost one: the one that was given, and those of the trust root.
    fn candidates(&self, settings: &Settings) -> Result<Vec<PublicKey>, Failure> {
        let given = self.old_public_key.as_deref().map(PublicKey::from_hex).transpose();
        let mut candidates: Vec<_> = given.map_err(SignerError::Key)?.into_iter().collect();
        if let Some(path) = &settings.trust_root {
            candidates.extend(trust::read(path)?.keys().iter().map(|key| *key.public_key()));
        }
        Ok(candidates)
    }

    fn key(
        &self,
        context: &Context,
        settings: &Settings,
        path: &Path,
    ) -> Result<SecretKey, Failure> {
        let source = match (self.new_passphrase_fd, &self.new_passphrase_file) {
            (Some(descriptor), _) => PassphraseSource::Descriptor(descriptor),
            (None, Some(path)) => PassphraseSource::File(path.clone()),
            (None, None) => match context.passphrase(settings) {
                // It was read for the old key, and is at its end.
                PassphraseSource::Descriptor(_) if !self.break_glass && !self.plaintext => {
                    let text = say!(context.locale(), rotate.fd_needed);
                    return Err(Failure::Usage(text.to_owned()));
                }
                source => source,
            },
        };
        context.output.note(&say!(context.locale(), rotate.new_key, path = path.display()));
        Ok(signer::read_or_generate(path, settings.profile, self.plaintext, &source)?)
    }

    /// Names the new key in the configuration file, where that is what names the old one.
    fn config(&self, settings: &Settings, path: &Path) -> Result<FileAnswer, Failure> {
        let to_write = |path: Option<PathBuf>, value: &str| FileAnswer {
            path,
            updated: false,
            to_write: Some(serde_json::json!({ Key::SignerKeyPath.name(): value })),
        };
        let absolute = std::path::absolute(path)
            .map_err(|source| Failure::Path { path: path.display().to_string(), source })?;
        let Origin::File { path: file, .. } = settings.origin(Key::SignerKeyPath) else {
            return Ok(match settings.key_path.as_deref() == Some(path) {
                true => FileAnswer { path: None, updated: false, to_write: None },
                false => to_write(None, &absolute.display().to_string()),
            });
        };
        if settings.key_path.as_deref() == Some(path) {
            return Ok(FileAnswer { path: Some(file.clone()), updated: false, to_write: None });
        }
        let mut changes = vec![(Key::SignerKeyPath, beside(file, path, &absolute))];
        // What the file names, whatever a flag says this time: the next run reads the file.
        let named = settings::with_text(file, Key::SignerPassphrasePath, "");
        let is_named = named.is_ok_and(|bytes| bytes.is_some());
        if let Some(path) = self.new_passphrase_file.as_ref().filter(|_| is_named) {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            changes.push((Key::SignerPassphrasePath, beside(file, path, &absolute)));
        }
        match change(file, &changes) {
            true => Ok(FileAnswer { path: Some(file.clone()), updated: true, to_write: None }),
            false => Ok(to_write(Some(file.clone()), &changes[0].1)),
        }
    }

    fn next_steps(
        &self,
        settings: &Settings,
        trust_root: &FileAnswer,
        config: &FileAnswer,
        locale: Locale,
    ) -> Vec<String> {
        let mut steps = Vec::new();
        if let Some(value) = &config.to_write {
            let value = &value[Key::SignerKeyPath.name()];
            let name = Key::SignerKeyPath.name();
            steps.push(say!(locale, rotate.set_key_path, name = name, value = value));
        }
        if let Some(entry) = &trust_root.to_write {
            steps.push(say!(locale, rotate.add_key, entry = entry));
        }
        if let Some(path) = &settings.trust_root {
            steps.push(say!(locale, init.give_trust_root, path = path.display()));
        }
        match self.break_glass {
            true => {
                steps.push(say!(locale, rotate.nobody_trusts).to_owned());
                steps.push(say!(locale, rotate.leaked).to_owned());
            }
            false => steps.push(say!(locale, rotate.old_key).to_owned()),
        }
        steps.push(say!(locale, init.keep_apart).to_owned());
        steps
    }
}

/// The configuration names the new key already: where it opens the recorder, there is nothing to rotate.
fn already(context: &Context, settings: &Settings) -> Result<(PublicKey, RotationReport), Failure> {
    let recorder = context.recorder(settings)?;
    let key = recorder.signer().ok_or(SignerError::NotConfigured)?.public_key();
    let mut report = RotationReport::default();
    for stream in recorder.store().streams()? {
        if stream.recorder_id == settings.stream.recorder_id {
            report.untouched.push(stream);
        }
    }
    Ok((key, report))
}

/// Puts the new key into the configured trust root, where it can be written.
fn trust_root(
    settings: &Settings,
    key: &PublicKey,
    report: &RotationReport,
) -> Result<FileAnswer, Failure> {
    let rotated = [report.rotated.as_slice(), &report.rotated_before].concat();
    if rotated.is_empty() {
        return Ok(FileAnswer {
            path: settings.trust_root.clone(),
            updated: false,
            to_write: None,
        });
    }
    let entry = || {
        let root = TrustRoot::new(vec![trust::entry(key, &rotated)?], None);
        let root = root.map_err(|error| Failure::Internal(error.to_string()))?;
        let value: serde_json::Value = serde_json::from_slice(&trust::to_json(&root)?)
            .map_err(|error| Failure::Internal(error.to_string()))?;
        Ok::<_, Failure>(value["keys"][0].clone())
    };
    let Some(path) = &settings.trust_root else {
        return Ok(FileAnswer { path: None, updated: false, to_write: Some(entry()?) });
    };
    let path = Some(path.clone());
    // The streams are rotated: whatever is wrong with this file does not undo it, and is said.
    let replaced = path.as_deref().map_or(Ok(false), |path| {
        match trust::succeeded(&trust::read(path)?, key, &rotated)? {
            Some(root) => trust::replace(path, &root).map(|()| true),
            None => Ok::<_, Failure>(false),
        }
    });
    Ok(match replaced {
        Ok(updated) => FileAnswer { path, updated, to_write: None },
        Err(_) => FileAnswer { path, updated: false, to_write: Some(entry()?) },
    })
}

/// The path as it stands in a configuration file: by its name where both lie together.
fn beside(file: &Path, path: &Path, absolute: &Path) -> String {
    let home = std::path::absolute(file).ok();
    let together = home.as_deref().and_then(Path::parent) == absolute.parent();
    match path.file_name().filter(|_| together) {
        Some(name) => Path::new(name).display().to_string(),
        None => absolute.display().to_string(),
    }
}

/// Changes settings of a configuration file; `false` where it cannot be changed so. The key comes last: with it the
/// configuration is that of the new key.
fn change(file: &Path, changes: &[(Key, String)]) -> bool {
    let access = if is_private(file) { Access::Owner } else { Access::Shared };
    changes.iter().rev().all(|(key, value)| {
        let changed = settings::with_text(file, *key, value);
        changed.is_ok_and(|bytes| {
            bytes.is_some_and(|bytes| recorder_fs::replace(file, &bytes, access).is_ok())
        })
    })
}

/// Whether nobody but its owner may read a file.
fn is_private(path: &Path) -> bool {
    rustix::fs::stat(path).is_ok_and(|found| found.st_mode & 0o077 == 0)
}

/// `recorder-key.pem`, `recorder-key-2.pem`, `recorder-key-3.pem` and so on.
fn next_name(old: &Path) -> PathBuf {
    let stem = old.file_stem().and_then(|stem| stem.to_str()).unwrap_or(KEY_NAME);
    let numbered = stem.rsplit_once('-').and_then(|(name, number)| {
        let number: u32 = number.parse().ok()?;
        Some((name, number.checked_add(1)?))
    });
    let (name, number) = numbered.unwrap_or((stem, 2));
    let extension = old.extension().and_then(|it| it.to_str()).unwrap_or("pem");
    old.with_file_name(format!("{name}-{number}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_numbered_one_after_the_other() {
        for (old, new) in [
            ("recorder-key.pem", "recorder-key-2.pem"),
            ("a/recorder-key-2.pem", "a/recorder-key-3.pem"),
            ("/k/x-9", "/k/x-10.pem"),
            ("key-of-mine.pem", "key-of-mine-2.pem"),
        ] {
            assert_eq!(next_name(Path::new(old)), Path::new(new), "{old}");
        }
    }
}
