//! The names of all settings: one list, from which files, environment and hints are read.

/// One setting.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Key {
    /// The database.
    Store,
    /// The tenant half of the stream.
    TenantId,
    /// The recorder half of the stream.
    RecorderId,
    /// Where keys may come from.
    Profile,
    /// The first part of checkpoint origins.
    LogName,
    /// The trust root that `init` wrote.
    TrustRoot,
    /// Envelopes re-read when the store is opened.
    StartupVerificationDepth,
    /// Between the first envelope outside every checkpoint and the next one.
    CheckpointIntervalMs,
    /// What a commit waits for.
    SqliteSynchronous,
    /// When the head guard is advanced.
    HeadGuard,
    /// The directory of the guarded heads.
    HeadGuardPath,
    /// When segments are sealed unasked.
    AutoSealMode,
    /// After how many envelopes.
    AutoSealCount,
    /// After how long.
    AutoSealDurationSeconds,
    /// The signing key's file.
    SignerKeyPath,
    /// The file with its passphrase.
    SignerPassphrasePath,
    /// Whether each envelope is signed.
    SignerSignEnvelopes,
    /// The file with the key of adapters.
    AdaptersKeyPath,
}

impl Key {
    /// Every setting, in the order in which they are shown.
    pub(crate) const ALL: [Self; 18] = [
        Self::Store,
        Self::TenantId,
        Self::RecorderId,
        Self::Profile,
        Self::LogName,
        Self::TrustRoot,
        Self::StartupVerificationDepth,
        Self::CheckpointIntervalMs,
        Self::SqliteSynchronous,
        Self::HeadGuard,
        Self::HeadGuardPath,
        Self::AutoSealMode,
        Self::AutoSealCount,
        Self::AutoSealDurationSeconds,
        Self::SignerKeyPath,
        Self::SignerPassphrasePath,
        Self::SignerSignEnvelopes,
        Self::AdaptersKeyPath,
    ];

    /// The name in files: a table's name before the dot.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::TenantId => "tenant_id",
            Self::RecorderId => "recorder_id",
            Self::Profile => "profile",
            Self::LogName => "log_name",
            Self::TrustRoot => "trust_root",
            Self::StartupVerificationDepth => "startup_verification_depth",
            Self::CheckpointIntervalMs => "checkpoint_interval_ms",
            Self::SqliteSynchronous => "sqlite_synchronous",
            Self::HeadGuard => "head_guard",
            Self::HeadGuardPath => "head_guard_path",
            Self::AutoSealMode => "auto_seal.mode",
            Self::AutoSealCount => "auto_seal.count",
            Self::AutoSealDurationSeconds => "auto_seal.duration_seconds",
            Self::SignerKeyPath => "signer.key_path",
            Self::SignerPassphrasePath => "signer.passphrase_path",
            Self::SignerSignEnvelopes => "signer.sign_envelopes",
            Self::AdaptersKeyPath => "adapters.key_path",
        }
    }

    /// The environment variable: `RECORDER_` and the name in capitals, dots as underscores.
    pub(crate) fn variable(self) -> String {
        format!("RECORDER_{}", self.name().replace('.', "_").to_uppercase())
    }

    /// The setting of this name in files.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// The candidate that a misspelt `name` most likely meant.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_listed_once_under_its_own_name() {
        for key in Key::ALL {
            assert_eq!(Key::by_name(key.name()), Some(key));
        }
    }

    #[test]
    fn the_nearest_key_is_near() {
        let names = Key::ALL.map(Key::name);
        assert_eq!(nearest("tenant", names), Some("tenant_id"));
        assert_eq!(nearest("stroe", names), Some("store"));
        assert_eq!(nearest("colour_of_the_bicycle_shed", names), None);
    }
}
