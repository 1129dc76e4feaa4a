//! The keys of the forged logs, their witnesses and their attackers. Their seeds are public: they guard nothing.

use std::collections::BTreeSet;

use recorder_core::identity::StreamId;
use recorder_envelope::signing::SecretKey;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey, TrustedStreams};

/// Who holds a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Holder {
    /// The recorder of the forged logs.
    Recorder,
    /// The same recorder after a rotation.
    RecorderNext,
    /// The same recorder after a second rotation.
    RecorderLast,
    /// The recorder of another stream of the same trust root.
    OtherRecorder,
    /// Somebody whom no trust root names.
    Attacker,
    /// A witness.
    Witness,
}

impl Holder {
    /// The holder's key.
    pub(crate) fn key(self) -> SecretKey {
        let seed = match self {
            Self::Recorder => 1,
            Self::RecorderNext => 2,
            Self::OtherRecorder => 3,
            Self::RecorderLast => 4,
            Self::Attacker => 0xaa,
            Self::Witness => 0x77,
        };
        SecretKey::from_seed(&[seed; 32]).unwrap()
    }

    /// The holder's key as an entry of a trust root, for one stream.
    pub(crate) fn trusted(self, stream: &StreamId, status: KeyStatus) -> TrustedKey {
        let streams = TrustedStreams::Named(BTreeSet::from([stream.clone()]));
        TrustedKey::new(self.key().public_key(), streams, status).unwrap()
    }
}

/// The file of a trust root that holds these keys.
pub(crate) fn trust_root(keys: Vec<TrustedKey>) -> Vec<u8> {
    TrustRoot::new(keys, None).unwrap().to_json().unwrap()
}
