//! Settings: flag, then `RECORDER_*` environment, then the first configuration file found, then default.
//!
//! Each value remembers where it came from. Files are never merged with each other. Paths in a file are taken
//! from that file's directory, all others from the working directory. Secrets are not settings: only the paths
//! of files that hold them are.

mod file;
mod key;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use recorder_core::identity::{LogName, RecorderId, StreamId, TenantId};
use recorder_core::limits::SEGMENT_ENVELOPES_MAX;
use recorder_envelope::checkpoint::LOG_NAME_DEFAULT;
use recorder_fs::FileError;
pub(crate) use recorder_store::Synchronous;

use file::Written;
pub(crate) use file::{Value, with_text};
pub(crate) use key::{Key, nearest};

/// The configuration file's name, wherever it stands.
pub(crate) const FILE_NAME: &str = "recorder.toml";

/// The database's name by default.
pub(crate) const STORE_NAME: &str = "recorder.db";

/// The directory of the guarded heads by default, beside the configuration file; without one, beside the database.
pub(crate) const GUARD_NAME: &str = "guard/heads";

/// The adapters' key by default, beside the configuration file; without one, beside the database.
pub(crate) const ADAPTER_KEY_NAME: &str = "adapter.key";

/// Names the configuration file, as `--config` does.
pub(crate) const CONFIG_VARIABLE: &str = "RECORDER_CONFIG";

/// Holds the seed of a throw-away signing key; looked at only under the profile `dev`.
pub(crate) const DEV_SEED_VARIABLE: &str = "RECORDER_DEV_SIGNER_SEED";

/// Why settings were refused. Nothing runs with settings of which one is wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file could not be read.
    #[error(transparent)]
    File(FileError),
    /// The file's name says neither TOML nor JSON.
    #[error("{}: a configuration file ends in .toml or .json", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML or JSON.
    #[error("{place}: {detail}")]
    Syntax {
        /// File and line.
        place: String,
        /// What is wrong.
        detail: String,
    },
    /// A key that no setting has.
    #[error("{place}: unknown key {key:?}")]
    UnknownKey {
        /// File and line.
        place: String,
        /// The key in full.
        key: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A table where a value belongs, or the other way round.
    #[error("{place}: {key} is {found}, expected {expected}")]
    WrongKind {
        /// File and line.
        place: String,
        /// The key in full.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value that the setting cannot have.
    #[error("{name} from {origin}: {detail}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Where the value came from.
        origin: Origin,
        /// What it may be.
        detail: String,
    },
}

/// Where a value came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// An argument of this call.
    Flag(&'static str),
    /// An environment variable.
    Environment(String),
    /// A configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, where it is known.
        line: Option<usize>,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::File { path, line: Some(line) } => write!(f, "file {}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Where a signing key may come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Profile {
    /// Encrypted key files only.
    Secure,
    /// Plaintext key files too.
    Standard,
    /// A seed in the environment too.
    Dev,
}

/// When segments are sealed unasked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SealMode {
    /// Only when they are full.
    None,
    /// After so many envelopes.
    AfterCount,
    /// After so long.
    AfterDuration,
    /// Whichever comes first.
    Combined,
}

/// When the last head is guarded outside the database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HeadGuard {
    /// With every checkpoint and seal.
    Checkpoints,
    /// Before every receipt.
    Strict,
    /// Never.
    Off,
}

/// Names that a setting may have, in words.
trait Word: Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

impl Word for Profile {
    const WORDS: &'static [(&'static str, Self)] =
        &[("secure", Self::Secure), ("standard", Self::Standard), ("dev", Self::Dev)];
}

impl Word for HeadGuard {
    const WORDS: &'static [(&'static str, Self)] =
        &[("checkpoints", Self::Checkpoints), ("strict", Self::Strict), ("off", Self::Off)];
}

impl Word for SealMode {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("after_count", Self::AfterCount),
        ("after_duration", Self::AfterDuration),
        ("combined", Self::Combined),
    ];
}

impl Word for Synchronous {
    const WORDS: &'static [(&'static str, Self)] =
        &[("FULL", Self::Full), ("NORMAL", Self::Normal)];
}

impl Profile {
    /// The word in files and flags.
    pub(crate) fn name(self) -> &'static str {
        self.word()
    }
}

/// The environment as far as settings look at it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Takes what this process was started with.
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// A variable's value.
    pub(crate) fn value(&self, name: &str) -> Option<&OsString> {
        self.0.get(name)
    }

    /// `RECORDER_*` variables that this program does not know.
    pub(crate) fn unknown(&self) -> Vec<&str> {
        let known: Vec<String> = Key::ALL.iter().map(|key| key.variable()).collect();
        let is_known = |name: &str| {
            [CONFIG_VARIABLE, DEV_SEED_VARIABLE].contains(&name)
                || known.iter().any(|variable| variable == name)
        };
        let names = self.0.keys().map(String::as_str);
        names.filter(|name| name.starts_with("RECORDER_") && !is_known(name)).collect()
    }
}

/// Values given as flags, with the flag's name.
pub(crate) type Flags = BTreeMap<Key, (&'static str, OsString)>;

/// The settings that survived.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The database.
    pub(crate) store: PathBuf,
    /// Whose evidence is meant, and which recorder.
    pub(crate) stream: StreamId,
    /// Where keys may come from.
    pub(crate) profile: Profile,
    /// The first part of checkpoint origins.
    pub(crate) log_name: LogName,
    /// The trust root that `init` wrote.
    pub(crate) trust_root: Option<PathBuf>,
    /// Milliseconds that an envelope may stand outside every checkpoint; 0 for no bound.
    pub(crate) checkpoint_interval_ms: u64,
    /// Envelopes re-read when the store is opened.
    pub(crate) startup_verification_depth: u64,
    /// What a commit waits for.
    pub(crate) synchronous: Synchronous,
    /// When the head guard is advanced.
    pub(crate) head_guard: HeadGuard,
    /// The directory of the guarded heads.
    pub(crate) head_guard_path: PathBuf,
    /// When segments are sealed unasked.
    pub(crate) seal_mode: SealMode,
    /// Envelopes after which a segment is sealed.
    pub(crate) seal_count: u64,
    /// Seconds after which a segment is sealed.
    pub(crate) seal_duration_seconds: u64,
    /// The signing key's file; `None` records unsigned.
    pub(crate) key_path: Option<PathBuf>,
    /// The file with its passphrase.
    pub(crate) passphrase_path: Option<PathBuf>,
    /// Whether each envelope is signed.
    pub(crate) sign_envelopes: bool,
    /// The file with the key of adapters.
    pub(crate) adapter_key_path: PathBuf,
    /// The configuration file that was used.
    pub(crate) file: Option<PathBuf>,
    origins: BTreeMap<Key, Origin>,
}

impl Settings {
    /// Resolves every setting, with the configuration file that is found first.
    ///
    /// # Errors
    ///
    /// `SettingsError` for the first that is wrong.
    pub(crate) fn resolve(
        flags: &Flags,
        environment: &Environment,
        config: Option<&Path>,
    ) -> Result<Self, SettingsError> {
        let found = match config {
            Some(path) => Some((path.to_path_buf(), file::read(path)?)),
            None => discover(environment)?,
        };
        Self::from_sources(flags, environment, found)
    }

    /// Resolves every setting without any configuration file.
    ///
    /// # Errors
    ///
    /// `SettingsError` for the first that is wrong.
    pub(crate) fn without_file(
        flags: &Flags,
        environment: &Environment,
    ) -> Result<Self, SettingsError> {
        Self::from_sources(flags, environment, None)
    }

    fn from_sources(
        flags: &Flags,
        environment: &Environment,
        found: Option<FoundFile>,
    ) -> Result<Self, SettingsError> {
        let (file, written) = found.map_or((None, BTreeMap::new()), |(p, w)| (Some(p), w));
        let mut sources = Sources { flags, environment, file: file.as_deref(), written };
        let given = sources.collect()?;
        let stream = StreamId {
            tenant_id: given.parsed(Key::TenantId, "default", |text| TenantId::new(text))?,
            recorder_id: given
                .parsed(Key::RecorderId, "recorder-cli", |text| RecorderId::new(text))?,
        };
        let store = given.path(Key::Store)?.unwrap_or_else(|| STORE_NAME.into());
        let beside = file.as_deref().unwrap_or(&store);
        let head_guard_path = given.path(Key::HeadGuardPath)?;
        let adapter_key_path = given.path(Key::AdaptersKeyPath)?;
        let adapter_key_path =
            adapter_key_path.unwrap_or_else(|| beside.with_file_name(ADAPTER_KEY_NAME));
        Ok(Self {
            head_guard: given.word(Key::HeadGuard, HeadGuard::Checkpoints)?,
            head_guard_path: head_guard_path.unwrap_or_else(|| beside.with_file_name(GUARD_NAME)),
            store,
            stream,
            profile: given.word(Key::Profile, Profile::Secure)?,
            log_name: given.parsed(Key::LogName, LOG_NAME_DEFAULT, |text| LogName::new(text))?,
            trust_root: given.path(Key::TrustRoot)?,
            startup_verification_depth: given.integer(
                Key::StartupVerificationDepth,
                100,
                0..=1_000_000,
            )?,
            checkpoint_interval_ms: given.integer(
                Key::CheckpointIntervalMs,
                60_000,
                0..=86_400_000,
            )?,
            synchronous: given.word(Key::SqliteSynchronous, Synchronous::Full)?,
            seal_mode: given.word(Key::AutoSealMode, SealMode::Combined)?,
            seal_count: given.integer(Key::AutoSealCount, 10_000, 1..=SEGMENT_ENVELOPES_MAX)?,
            seal_duration_seconds: given.integer(
                Key::AutoSealDurationSeconds,
                3_600,
                1..=31_622_400,
            )?,
            key_path: given.path(Key::SignerKeyPath)?,
            passphrase_path: given.path(Key::SignerPassphrasePath)?,
            sign_envelopes: given.boolean(Key::SignerSignEnvelopes, false)?,
            adapter_key_path,
            origins: given.origins(),
            file,
        })
    }

    /// Where a setting came from.
    pub(crate) fn origin(&self, key: Key) -> &Origin {
        self.origins.get(&key).unwrap_or(&Origin::Default)
    }

    /// A setting's value as it would stand in a file; `None` where there is none.
    pub(crate) fn value(&self, key: Key) -> Option<Value> {
        let path = |path: &Path| Value::Text(path.display().to_string());
        let word = |word: &str| Value::Text(word.to_owned());
        Some(match key {
            Key::Store => path(&self.store),
            Key::TenantId => word(self.stream.tenant_id.as_str()),
            Key::RecorderId => word(self.stream.recorder_id.as_str()),
            Key::Profile => word(self.profile.word()),
            Key::LogName => word(self.log_name.as_str()),
            Key::TrustRoot => path(self.trust_root.as_deref()?),
            Key::StartupVerificationDepth => Value::Integer(self.startup_verification_depth),
            Key::CheckpointIntervalMs => Value::Integer(self.checkpoint_interval_ms),
            Key::SqliteSynchronous => word(self.synchronous.word()),
            Key::HeadGuard => word(self.head_guard.word()),
            Key::HeadGuardPath => path(&self.head_guard_path),
            Key::AutoSealMode => word(self.seal_mode.word()),
            Key::AutoSealCount => Value::Integer(self.seal_count),
            Key::AutoSealDurationSeconds => Value::Integer(self.seal_duration_seconds),
            Key::SignerKeyPath => path(self.key_path.as_deref()?),
            Key::SignerPassphrasePath => path(self.passphrase_path.as_deref()?),
            Key::SignerSignEnvelopes => Value::Boolean(self.sign_envelopes),
            Key::AdaptersKeyPath => path(&self.adapter_key_path),
        })
    }
}

/// A configuration file and what it says.
type FoundFile = (PathBuf, BTreeMap<Key, Written>);

/// Finds the configuration file that counts: the first that is there.
fn discover(environment: &Environment) -> Result<Option<FoundFile>, SettingsError> {
    if let Some(path) = environment.value(CONFIG_VARIABLE) {
        let path = PathBuf::from(path);
        let written = file::read(&path)?;
        return Ok(Some((path, written)));
    }
    let absolute =
        |name: &str| environment.value(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .map(|directory| directory.join("recorder/config.toml"));
    let candidates =
        [Some(PathBuf::from(FILE_NAME)), user, Some("/etc/recorder/config.toml".into())];
    for path in candidates.into_iter().flatten() {
        if let Some(written) = file::read_if_present(&path)? {
            return Ok(Some((path, written)));
        }
    }
    Ok(None)
}

/// All places where a value can come from.
struct Sources<'a> {
    flags: &'a Flags,
    environment: &'a Environment,
    file: Option<&'a Path>,
    written: BTreeMap<Key, Written>,
}

/// The winning value of each setting that somebody set.
struct Given(BTreeMap<Key, (Value, Origin)>);

impl Sources<'_> {
    fn collect(&mut self) -> Result<Given, SettingsError> {
        let mut given = BTreeMap::new();
        for key in Key::ALL {
            if let Some(found) = self.winner(key)? {
                given.insert(key, found);
            }
        }
        Ok(Given(given))
    }

    fn winner(&mut self, key: Key) -> Result<Option<(Value, Origin)>, SettingsError> {
        if let Some((flag, value)) = self.flags.get(&key) {
            let origin = Origin::Flag(flag);
            return Ok(Some((text_of(key, &origin, value)?, origin)));
        }
        let variable = key.variable();
        if let Some(value) = self.environment.value(&variable) {
            let origin = Origin::Environment(variable);
            return Ok(Some((text_of(key, &origin, value)?, origin)));
        }
        let found = self.written.remove(&key).zip(self.file);
        Ok(found.map(|(written, path)| {
            let origin = Origin::File { path: path.to_path_buf(), line: written.line };
            (written.value, origin)
        }))
    }
}

fn text_of(key: Key, origin: &Origin, value: &OsString) -> Result<Value, SettingsError> {
    match value.to_str() {
        Some(text) => Ok(Value::Text(text.to_owned())),
        None => Err(invalid(key, origin, "not UTF-8")),
    }
}

fn invalid(key: Key, origin: &Origin, detail: impl Into<String>) -> SettingsError {
    SettingsError::Value { name: key.name(), origin: origin.clone(), detail: detail.into() }
}

impl Given {
    fn text(&self, key: Key) -> Result<Option<(&str, &Origin)>, SettingsError> {
        match self.0.get(&key) {
            None => Ok(None),
            Some((Value::Text(text), origin)) => Ok(Some((text, origin))),
            Some((_, origin)) => Err(invalid(key, origin, "expected a string")),
        }
    }

    fn parsed<T, E: fmt::Display>(
        &self,
        key: Key,
        default: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, SettingsError> {
        let (text, origin) = self.text(key)?.unwrap_or((default, &Origin::Default));
        parse(text).map_err(|error| invalid(key, origin, error.to_string()))
    }

    fn word<T: Word>(&self, key: Key, default: T) -> Result<T, SettingsError> {
        let Some((text, origin)) = self.text(key)? else { return Ok(default) };
        let words = || T::WORDS.iter().map(|(word, _)| *word);
        T::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let mut detail = format!("expected one of {}", words().collect::<Vec<_>>().join(", "));
            if let Some(near) = nearest(text, words()) {
                detail.push_str(&format!("; did you mean {near}?"));
            }
            invalid(key, origin, detail)
        })
    }

    fn path(&self, key: Key) -> Result<Option<PathBuf>, SettingsError> {
        match self.text(key)? {
            None => Ok(None),
            Some(("", origin)) => Err(invalid(key, origin, "expected a path")),
            Some((text, Origin::File { path, .. })) => {
                Ok(Some(path.parent().map_or_else(|| text.into(), |parent| parent.join(text))))
            }
            Some((text, _)) => Ok(Some(text.into())),
        }
    }

    fn integer(
        &self,
        key: Key,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, SettingsError> {
        let Some((value, origin)) = self.0.get(&key) else { return Ok(default) };
        let number = match value {
            Value::Integer(number) => Some(*number),
            // Flags and variables are text; a file has numbers and must use them.
            Value::Text(text) if !matches!(origin, Origin::File { .. }) => text.parse().ok(),
            Value::Text(_) | Value::Boolean(_) => None,
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            let detail = format!("expected a number from {} to {}", range.start(), range.end());
            invalid(key, origin, detail)
        })
    }

    fn boolean(&self, key: Key, default: bool) -> Result<bool, SettingsError> {
        let Some((value, origin)) = self.0.get(&key) else { return Ok(default) };
        match value {
            Value::Boolean(value) => Ok(*value),
            Value::Text(text) if !matches!(origin, Origin::File { .. }) => {
                text.parse().map_err(|_| invalid(key, origin, "expected true or false"))
            }
            Value::Text(_) | Value::Integer(_) => {
                Err(invalid(key, origin, "expected true or false"))
            }
        }
    }

    fn origins(&self) -> BTreeMap<Key, Origin> {
        self.0.iter().map(|(key, (_, origin))| (*key, origin.clone())).collect()
    }
}
