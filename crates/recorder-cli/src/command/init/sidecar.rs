//! `init --sidecar`: everything a sidecar needs, in one directory: its settings, keys, token, trust root, database.
//!
//! Nothing that exists is overwritten. The settings are written last, so where they stand, the rest stands too.

use std::path::{Path, PathBuf};

use recorder_core::identity::{RecorderId, StreamId, TenantId};
use recorder_envelope::signing::PublicKey;

use super::{Done, TRUST_ROOT_NAME, refuse_existing, trust_root};
use crate::adapter_key;
use crate::command::signer::KEY_NAME;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::say;
use crate::passphrase::PassphraseSource;
use crate::settings::{ADAPTER_KEY_NAME, GUARD_NAME, Key, Origin, STORE_NAME, Settings};
use crate::signer::{self, SignerError};

const CONFIG_NAME: &str = "sidecar.toml";
const PASSPHRASE_NAME: &str = "recorder-key-passphrase";
const TOKEN_NAME: &str = "recorder-token";

/// The recorder half of its streams, unless another is asked for: what the sidecar's own default is.
const RECORDER_ID: &str = "sidecar:local";

/// Where it listens unless its settings say otherwise.
const ADDRESS: &str = "http://127.0.0.1:8787";

/// Writes everything into `directory` and says what comes next.
pub(super) fn run(directory: PathBuf, context: &Context) -> Result<Exit, Failure> {
    let mut settings = context.settings_without_file()?;
    if *settings.origin(Key::RecorderId) == Origin::Default {
        settings.stream.recorder_id = RecorderId::new(RECORDER_ID).map_err(Failure::Identity)?;
    }
    let path = |name: &str| directory.join(name);
    let [key, passphrase, token] = [KEY_NAME, PASSPHRASE_NAME, TOKEN_NAME].map(path);
    let [adapter_key, trusted] = [ADAPTER_KEY_NAME, TRUST_ROOT_NAME].map(path);
    let [store, guard, config] = [STORE_NAME, GUARD_NAME, CONFIG_NAME].map(path);
    let mut files =
        vec![passphrase.clone(), key.clone(), token.clone(), adapter_key.clone(), trusted.clone()];
    files.extend([store.clone(), guard.clone(), config.clone()]);
    refuse_existing(&files)?;
    recorder_fs::create_private_directory(&directory)?;
    for secret in [&passphrase, &token, &adapter_key] {
        adapter_key::generate(secret)?;
    }
    let public_key = encrypted_key(&key, passphrase)?;
    let streams = [settings.stream.clone(), own_stream(&settings)?];
    recorder_fs::write_new(&trusted, &trust_root(streams, &public_key)?)?;
    context.create_store(&store, &settings)?;
    recorder_fs::create_private_directory(&guard)?;
    recorder_fs::write_new(&config, config_text(&settings)?.as_bytes())?;
    context.output.answer(&Done {
        next_steps: next_steps(&directory, context),
        directory,
        files,
        tenant_id: settings.stream.tenant_id.to_string(),
        recorder_id: settings.stream.recorder_id.to_string(),
        key_id: Some(public_key.key_id()),
        verifier_key: Some(signer::verifier_key(&settings, &public_key)),
    })?;
    Ok(Exit::Done)
}

/// The stream in which the sidecar records itself.
fn own_stream(settings: &Settings) -> Result<StreamId, Failure> {
    let tenant_id =
        TenantId::new(recorder_sidecar_api::audit::TENANT).map_err(Failure::Identity)?;
    Ok(StreamId { tenant_id, recorder_id: settings.stream.recorder_id.clone() })
}

fn encrypted_key(path: &Path, passphrase: PathBuf) -> Result<PublicKey, Failure> {
    let passphrase = PassphraseSource::File(passphrase).read();
    let passphrase = passphrase.map_err(SignerError::Passphrase)?;
    Ok(signer::generate_encrypted(path, &passphrase)?)
}

/// The settings: what names this directory's files and this stream. Relative paths begin where the file is.
fn config_text(settings: &Settings) -> Result<String, Failure> {
    let text = |text: &str| toml::Value::String(text.to_owned());
    let table = |members: &[(&str, &str)]| -> toml::Value {
        let members = members.iter().map(|(name, value)| ((*name).to_owned(), text(value)));
        toml::Value::Table(members.collect())
    };
    let stream = &settings.stream;
    let recorder =
        [("recorder_id", stream.recorder_id.as_str()), ("log_name", settings.log_name.as_str())];
    let signer = [("key_path", KEY_NAME), ("passphrase_path", PASSPHRASE_NAME)];
    let otel = [("key_path", ADAPTER_KEY_NAME), ("tenant_id", stream.tenant_id.as_str())];
    let mut root = toml::Table::new();
    root.insert("config_version".to_owned(), toml::Value::Integer(1));
    for (name, members) in [
        ("recorder", &recorder[..]),
        ("storage", &[("path", STORE_NAME), ("head_guard_path", GUARD_NAME)]),
        ("security", &[("token_path", TOKEN_NAME)]),
        ("signer", &signer),
        ("otel", &otel),
    ] {
        root.insert(name.to_owned(), table(members));
    }
    let body = toml::to_string(&root).map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(format!("# Settings of recorder-sidecar; docs/sidecar-settings.md explains each.\n{body}"))
}

fn next_steps(directory: &Path, context: &Context) -> Vec<String> {
    let shown = |name: &str| directory.join(name).display().to_string();
    let (config, token, trusted) = (shown(CONFIG_NAME), shown(TOKEN_NAME), shown(TRUST_ROOT_NAME));
    let locale = context.locale();
    vec![
        format!("recorder-sidecar --config {config}"),
        format!("export OTEL_EXPORTER_OTLP_ENDPOINT={ADDRESS}"),
        format!("export OTEL_EXPORTER_OTLP_HEADERS=\"authorization=Bearer%20$(cat {token})\""),
        say!(locale, init.give_trust_root, path = trusted),
        say!(locale, init.keep_apart).to_owned(),
        say!(locale, init.move_guard).to_owned(),
    ]
}
