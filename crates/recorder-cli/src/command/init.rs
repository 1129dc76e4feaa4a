//! `init`: everything a recorder needs, in one directory: configuration, key, trust root, database, head guard.
//!
//! Nothing that exists is overwritten; all of it is looked at before anything is written. The configuration is
//! written last, so where it stands, the rest stands too.

mod sidecar;

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use recorder_core::hash::KeyId;
use recorder_core::identity::StreamId;
use recorder_envelope::signing::PublicKey;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey, TrustedStreams};
use serde::Serialize;

use crate::adapter_key;
use crate::command::signer::KEY_NAME;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::label;
use crate::i18n::{Locale, say};
use crate::output::{Answer, Page, Tone};
use crate::settings::{ADAPTER_KEY_NAME, FILE_NAME, GUARD_NAME, Key, STORE_NAME, Settings, Value};
use crate::signer::{self, SignerError};

/// The trust root's name.
const TRUST_ROOT_NAME: &str = "trust-root.json";

/// Sets up a directory.
#[derive(Args, Debug)]
pub(crate) struct Init {
    /// The directory; it is made where it is missing
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Set up without a signing key: what is recorded will be unproven
    #[arg(long)]
    no_signer: bool,
    /// Set up for recorder-sidecar: its settings, a token, and a passphrase of its own
    #[arg(long, conflicts_with = "no_signer")]
    sidecar: bool,
}

#[derive(Serialize)]
struct Done {
    directory: PathBuf,
    files: Vec<PathBuf>,
    tenant_id: String,
    recorder_id: String,
    key_id: Option<KeyId>,
    verifier_key: Option<String>,
    next_steps: Vec<String>,
}

impl Answer for Done {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let wrote = say!(page.locale(), word.wrote);
        for file in &self.files {
            let file = file.display().to_string();
            page.pieces(&[(Tone::Good, wrote), (Tone::Plain, " "), (Tone::Plain, &file)])?;
        }
        page.field(&label::stream, &format!("{}/{}", self.tenant_id, self.recorder_id))?;
        if let (Some(key_id), Some(verifier_key)) = (&self.key_id, &self.verifier_key) {
            page.field(&label::key_id, &key_id.to_string())?;
            page.field(&label::verifier_key, verifier_key)?;
        }
        page.line("")?;
        page.pieces(&[(Tone::Strong, say!(page.locale(), init.next_steps))])?;
        self.next_steps.iter().try_for_each(|step| page.line(&format!("  {step}")))
    }
}

/// The paths that `init` writes.
struct Layout {
    config: PathBuf,
    key: PathBuf,
    trust_root: PathBuf,
    store: PathBuf,
    guard: PathBuf,
    adapter_key: PathBuf,
}

impl Layout {
    fn new(directory: &Path) -> Self {
        Self {
            config: directory.join(FILE_NAME),
            key: directory.join(KEY_NAME),
            trust_root: directory.join(TRUST_ROOT_NAME),
            store: directory.join(STORE_NAME),
            guard: directory.join(GUARD_NAME),
            adapter_key: directory.join(ADAPTER_KEY_NAME),
        }
    }

    fn refuse_existing(&self) -> Result<(), Failure> {
        let Self { config, key, trust_root, store, guard, adapter_key } = self;
        refuse_existing([config, key, trust_root, store, guard, adapter_key])
    }
}

fn refuse_existing<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), Failure> {
    for path in paths {
        // A dangling link exists too.
        if path.symlink_metadata().is_ok() {
            return Err(Failure::Exists { what: path.display().to_string() });
        }
    }
    Ok(())
}

impl Init {
    /// Writes everything and says what comes next.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        if self.sidecar {
            return sidecar::run(self.dir, context);
        }
        let settings = context.settings_without_file()?;
        let layout = Layout::new(&self.dir);
        layout.refuse_existing()?;
        make_directory(&self.dir)?;
        let mut files = Vec::new();
        let key = self.key(context, &settings, &layout, &mut files)?;
        if let Some(key) = &key {
            let trust_root = trust_root([settings.stream.clone()], key)?;
            recorder_fs::write_new(&layout.trust_root, &trust_root)?;
            files.push(layout.trust_root.clone());
        }
        context.create_store(&layout.store, &settings)?;
        files.push(layout.store.clone());
        recorder_fs::create_private_directory(&layout.guard)?;
        files.push(layout.guard.clone());
        adapter_key::generate(&layout.adapter_key)?;
        files.push(layout.adapter_key.clone());
        let seeded = context.signer_is_seed(&settings);
        let text = config_text(&settings, key.is_some(), seeded)?;
        recorder_fs::write_new(&layout.config, text.as_bytes())?;
        files.push(layout.config.clone());
        context.output.answer(&Done {
            next_steps: next_steps(&self.dir, key.is_some(), context.locale()),
            directory: self.dir,
            files,
            tenant_id: settings.stream.tenant_id.to_string(),
            recorder_id: settings.stream.recorder_id.to_string(),
            key_id: key.as_ref().map(PublicKey::key_id),
            verifier_key: key.as_ref().map(|key| signer::verifier_key(&settings, key)),
        })?;
        Ok(Exit::Done)
    }

    /// The public half of the key that will sign: a new one, or the seed's under profile dev.
    fn key(
        &self,
        context: &Context,
        settings: &Settings,
        layout: &Layout,
        files: &mut Vec<PathBuf>,
    ) -> Result<Option<PublicKey>, Failure> {
        if self.no_signer {
            return Ok(None);
        }
        if context.signer_is_seed(settings) {
            return Ok(context.signer(settings)?.map(|signer| signer.key.public_key()));
        }
        let passphrase = context.passphrase(settings).read_new();
        let passphrase = passphrase.map_err(SignerError::Passphrase)?;
        let key = signer::generate_encrypted(&layout.key, &passphrase)?;
        files.push(layout.key.clone());
        Ok(Some(key))
    }
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path)
        .map_err(|source| Failure::Directory { path: path.display().to_string(), source })
}

/// A trust root that trusts `key` for `streams`.
fn trust_root(
    streams: impl IntoIterator<Item = StreamId>,
    key: &PublicKey,
) -> Result<Vec<u8>, Failure> {
    let internal = |error: &dyn std::fmt::Display| Failure::Internal(error.to_string());
    let streams = TrustedStreams::Named(streams.into_iter().collect());
    let key = TrustedKey::new(*key, streams, KeyStatus::Active).map_err(|e| internal(&e))?;
    let root = TrustRoot::new(vec![key], None).map_err(|e| internal(&e))?;
    let mut bytes = root.to_json().map_err(|e| internal(&e))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The configuration: what was chosen here, and what differs from the defaults.
fn config_text(settings: &Settings, signed: bool, seeded: bool) -> Result<String, Failure> {
    let mut root = toml::Table::new();
    let text = |text: &str| toml::Value::String(text.to_owned());
    root.insert("store".to_owned(), text(STORE_NAME));
    for key in [Key::TenantId, Key::RecorderId, Key::Profile, Key::LogName] {
        if let Some(Value::Text(value)) = settings.value(key) {
            root.insert(key.name().to_owned(), text(&value));
        }
    }
    if signed {
        root.insert("trust_root".to_owned(), text(TRUST_ROOT_NAME));
    }
    if signed && !seeded {
        let mut signer = toml::Table::new();
        signer.insert("key_path".to_owned(), text(KEY_NAME));
        if let Some(path) = &settings.passphrase_path {
            let path = std::path::absolute(path).map_err(|source| Failure::Directory {
                path: path.display().to_string(),
                source,
            })?;
            signer.insert("passphrase_path".to_owned(), text(&path.display().to_string()));
        }
        root.insert("signer".to_owned(), toml::Value::Table(signer));
    }
    let mut adapters = toml::Table::new();
    adapters.insert("key_path".to_owned(), text(ADAPTER_KEY_NAME));
    root.insert("adapters".to_owned(), toml::Value::Table(adapters));
    let body = toml::to_string(&root).map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(format!("# Settings of recorder; `recorder config show --origin` explains them.\n{body}"))
}

fn next_steps(directory: &Path, signed: bool, locale: Locale) -> Vec<String> {
    let config = directory.join(FILE_NAME).display().to_string();
    let recorder = match directory == Path::new(".") {
        true => "recorder".to_owned(),
        false => format!("recorder --config {config}"),
    };
    let mut steps = vec![
        format!("{recorder} doctor"),
        format!(
            "{recorder} envelope record --event-type tool.call --actor me --environment test --payload FILE"
        ),
        format!("{recorder} bundle build --all --output evidence.recorder.zip"),
    ];
    if signed {
        let trust_root = directory.join(TRUST_ROOT_NAME).display().to_string();
        steps.push(format!(
            "recorder bundle verify evidence.recorder.zip --trust-root {trust_root}"
        ));
        steps.push(say!(locale, init.give_trust_root, path = trust_root));
        steps.push(say!(locale, init.keep_apart).to_owned());
    }
    steps.push(say!(locale, init.move_guard).to_owned());
    steps
}
