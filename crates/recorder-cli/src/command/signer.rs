//! `signer`: keys are made here, encrypted unless the profile says otherwise, shown by their public half, and rotated.

mod rotate;
mod trust;

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use recorder_core::hash::KeyId;
use recorder_envelope::signing::PublicKey;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::label;
use crate::output::{Answer, Page};
use crate::settings::{Profile, Settings};
use crate::signer::{self, SignerError};

/// The key file's name by default.
pub(crate) const KEY_NAME: &str = "recorder-key.pem";

/// Makes, looks at and rotates signing keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Signer {
    /// Make a key and write it to a new file, encrypted
    Generate(Generate),
    /// Print the key's id, its public half and its verifier line
    Show,
    /// End the key in every stream of the recorder, and begin another
    Rotate(rotate::Rotate),
}

/// Makes a key.
#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// Where to write it [default: signer.key_path, or recorder-key.pem]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Do not encrypt it; not under profile secure
    #[arg(long)]
    plaintext: bool,
}

/// What is public of a key.
#[derive(Serialize)]
pub(crate) struct KeyAnswer {
    key_id: KeyId,
    public_key: String,
    verifier_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
}

impl KeyAnswer {
    /// Of a key that signs the configured stream.
    pub(crate) fn new(settings: &Settings, key: &PublicKey, path: Option<PathBuf>) -> Self {
        Self {
            key_id: key.key_id(),
            public_key: key.to_hex(),
            verifier_key: signer::verifier_key(settings, key),
            path,
        }
    }
}

impl Answer for KeyAnswer {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        if let Some(path) = &self.path {
            page.field(&label::key_file, &path.display().to_string())?;
        }
        page.field(&label::key_id, &self.key_id.to_string())?;
        page.field(&label::public_key, &self.public_key)?;
        page.field(&label::verifier_key, &self.verifier_key)
    }
}

impl Signer {
    /// Makes or shows.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        let answer = match self {
            Self::Rotate(rotate) => return rotate.run(context, &settings),
            Self::Generate(generate) => generate.run(context, &settings)?,
            Self::Show => {
                let signer = context.signer(&settings)?.ok_or(SignerError::NotConfigured)?;
                let path = settings.key_path.clone().filter(|_| !signer.from_seed);
                KeyAnswer::new(&settings, &signer.key.public_key(), path)
            }
        };
        context.output.answer(&answer)?;
        Ok(Exit::Done)
    }
}

impl Generate {
    fn run(self, context: &Context, settings: &Settings) -> Result<KeyAnswer, Failure> {
        let path = self
            .output
            .or_else(|| settings.key_path.clone())
            .unwrap_or_else(|| PathBuf::from(KEY_NAME));
        if path.symlink_metadata().is_ok() {
            return Err(Failure::Exists { what: path.display().to_string() });
        }
        let public_key = match (self.plaintext, settings.profile) {
            (true, profile @ Profile::Secure) => {
                return Err(SignerError::PlaintextRefused { path, profile }.into());
            }
            (true, Profile::Standard | Profile::Dev) => signer::generate_plaintext(&path)?,
            (false, _) => {
                let passphrase = context.passphrase(settings).read_new();
                let passphrase = passphrase.map_err(SignerError::Passphrase)?;
                signer::generate_encrypted(&path, &passphrase)?
            }
        };
        Ok(KeyAnswer::new(settings, &public_key, Some(path)))
    }
}
