//! The trust root: which keys an auditor believes, for which streams and positions (evidence format §6).
//!
//! It comes from the auditor, never from the evidence. It says who may vouch; what to conclude from
//! a signature, and what rotations add, is the verifier's.

use std::collections::BTreeSet;
use std::fmt;

use recorder_core::hash::KeyId;
use recorder_core::identity::StreamId;
use recorder_core::limits::TRUST_ROOT_BYTES_MAX;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::json::{JsonLimits, StrictError, ToCanonicalError, from_strict, to_canonical};
use crate::signing::{PublicKey, PublicKeyError};
use crate::wire;

/// The largest position that a trust root may name: 2⁵³, which every JSON reader holds exactly.
pub const TRUSTED_POSITION_MAX: u64 = 1 << 53;

// The root, its keys, a key, its streams, a stream.
const LIMITS: JsonLimits = JsonLimits {
    input_bytes_max: TRUST_ROOT_BYTES_MAX as usize,
    depth_max: 5,
    nodes_max: TRUST_ROOT_BYTES_MAX as usize,
};

/// Why a trust root is refused. Nothing of a refused one is used.
#[derive(Debug, thiserror::Error)]
pub enum TrustRootError {
    /// Not strict JSON of the one shape, or over 1 MiB.
    #[error("not a trust root")]
    Json(#[source] StrictError),
    /// It trusts nobody.
    #[error("a trust root names at least one key")]
    NoKeys,
    /// One key stands there twice.
    #[error("key {key_id} stands twice in the trust root")]
    DuplicateKey {
        /// The key.
        key_id: KeyId,
    },
    /// A key is refused.
    #[error("key {index} of the trust root is refused")]
    Key {
        /// Counted from 0.
        index: usize,
        /// Why.
        source: TrustedKeyError,
    },
}

/// Why a key cannot stand in a trust root.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TrustedKeyError {
    /// The public key is malformed or weak.
    #[error("the public key is refused")]
    PublicKey(#[source] PublicKeyError),
    /// The key id is not the SHA-256 of the public key.
    #[error("the key id is {found}, the public key's is {expected}")]
    KeyId {
        /// The public key's.
        expected: KeyId,
        /// What the file says.
        found: KeyId,
    },
    /// It is trusted for no stream.
    #[error("the key is trusted for no stream")]
    NoStreams,
    /// A stream stands twice, or beside `"*"`.
    #[error("a stream of the key stands twice, or beside all streams")]
    RepeatedStream,
    /// A position bounds a key that is not trusted for exactly one named stream.
    #[error("positions bound a key of one named stream only")]
    PositionsWithoutStream,
    /// The first position is after the last, or one is beyond `TRUSTED_POSITION_MAX`.
    #[error("the key is trusted from position {from} until {until}")]
    Positions {
        /// The first.
        from: u64,
        /// The last.
        until: u64,
    },
}

/// What has become of a key.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyStatus {
    /// In use.
    Active,
    /// Signs no more; what it signed within its positions stands.
    Retired,
    /// In other hands: its signature alone proves nothing, wherever it stands.
    Compromised,
}

/// For which streams a key is trusted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TrustedStreams {
    /// Every stream.
    All,
    /// These, of which there is at least one.
    Named(BTreeSet<StreamId>),
}

/// A key and where it is trusted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrustedKey {
    public_key: PublicKey,
    key_id: KeyId,
    streams: TrustedStreams,
    valid_from_position: Option<u64>,
    valid_until_position: Option<u64>,
    status: KeyStatus,
}

impl TrustedKey {
    /// Trusts `public_key` for `streams`, at all positions.
    ///
    /// # Errors
    ///
    /// `NoStreams` for an empty set.
    pub fn new(
        public_key: PublicKey,
        streams: TrustedStreams,
        status: KeyStatus,
    ) -> Result<Self, TrustedKeyError> {
        if matches!(&streams, TrustedStreams::Named(named) if named.is_empty()) {
            return Err(TrustedKeyError::NoStreams);
        }
        Ok(Self {
            public_key,
            key_id: public_key.key_id(),
            streams,
            valid_from_position: None,
            valid_until_position: None,
            status,
        })
    }

    /// Trusts the key at positions `from` to `until`, both included; `None` is no bound.
    ///
    /// # Errors
    ///
    /// `PositionsWithoutStream` unless exactly one stream is named; `Positions` for bounds out of
    /// order or beyond `TRUSTED_POSITION_MAX`.
    pub fn within(self, from: Option<u64>, until: Option<u64>) -> Result<Self, TrustedKeyError> {
        let one_stream = matches!(&self.streams, TrustedStreams::Named(named) if named.len() == 1);
        if (from.is_some() || until.is_some()) && !one_stream {
            return Err(TrustedKeyError::PositionsWithoutStream);
        }
        let (first, last) = (from.unwrap_or(0), until.unwrap_or(TRUSTED_POSITION_MAX));
        if first > last || last > TRUSTED_POSITION_MAX {
            return Err(TrustedKeyError::Positions { from: first, until: last });
        }
        Ok(Self { valid_from_position: from, valid_until_position: until, ..self })
    }

    /// The public key.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The key's name.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// For which streams it is trusted.
    pub const fn streams(&self) -> &TrustedStreams {
        &self.streams
    }

    /// What has become of it. `covers` does not look at this.
    pub const fn status(&self) -> KeyStatus {
        self.status
    }

    /// The first and the last position that it is trusted at, where they are bounded.
    pub const fn positions(&self) -> (Option<u64>, Option<u64>) {
        (self.valid_from_position, self.valid_until_position)
    }

    /// Whether it is trusted for this stream, at some position.
    pub fn covers_stream(&self, stream: &StreamId) -> bool {
        match &self.streams {
            TrustedStreams::All => true,
            TrustedStreams::Named(named) => named.contains(stream),
        }
    }

    /// Whether it is trusted at this position: from the first to the last, both included.
    pub fn covers(&self, position: u64) -> bool {
        self.valid_from_position.is_none_or(|from| from <= position)
            && self.valid_until_position.is_none_or(|until| position <= until)
    }
}

/// The keys that an auditor believes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrustRoot {
    keys: Vec<TrustedKey>,
    witness_policy: Option<String>,
}

impl TrustRoot {
    /// Believes these keys, and witnesses as the C2SP `tlog-policy` text says.
    ///
    /// # Errors
    ///
    /// `NoKeys`, `DuplicateKey`.
    pub fn new(
        keys: Vec<TrustedKey>,
        witness_policy: Option<String>,
    ) -> Result<Self, TrustRootError> {
        if keys.is_empty() {
            return Err(TrustRootError::NoKeys);
        }
        let mut seen = BTreeSet::new();
        for key in &keys {
            if !seen.insert(key.key_id) {
                return Err(TrustRootError::DuplicateKey { key_id: key.key_id });
            }
        }
        Ok(Self { keys, witness_policy })
    }

    /// Reads a trust root file.
    ///
    /// # Errors
    ///
    /// `TrustRootError`, by what is wrong first.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustRootError> {
        let file: File = from_strict(bytes, &LIMITS).map_err(TrustRootError::Json)?;
        let keys = file.keys.into_iter().enumerate().map(|(index, key)| {
            TrustedKey::try_from(key).map_err(|source| TrustRootError::Key { index, source })
        });
        Self::new(keys.collect::<Result<_, _>>()?, file.witness_policy)
    }

    /// The file as canonical JSON.
    ///
    /// # Errors
    ///
    /// Never, but for a defect of the encoder.
    pub fn to_json(&self) -> Result<Vec<u8>, ToCanonicalError> {
        to_canonical(&File {
            file_type: FileType::V1,
            keys: self.keys.iter().map(FileKey::from).collect(),
            witness_policy: self.witness_policy.clone(),
        })
    }

    /// All keys, in the order of the file.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// The key of this name.
    pub fn key(&self, key_id: &KeyId) -> Option<&TrustedKey> {
        self.keys.iter().find(|key| key.key_id == *key_id)
    }

    /// The keys that are trusted for this stream, at whatever positions.
    pub fn keys_for(&self, stream: &StreamId) -> impl Iterator<Item = &TrustedKey> {
        self.keys.iter().filter(|key| key.covers_stream(stream))
    }

    /// The C2SP `tlog-policy` text on witnesses, as given.
    pub fn witness_policy(&self) -> Option<&str> {
        self.witness_policy.as_deref()
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "type")]
    file_type: FileType,
    keys: Vec<FileKey>,
    #[serde(default, deserialize_with = "wire::present", skip_serializing_if = "Option::is_none")]
    witness_policy: Option<String>,
}

#[derive(Deserialize, Serialize)]
enum FileType {
    #[serde(rename = "recorder.trust-root/v1")]
    V1,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileKey {
    key_id: KeyId,
    public_key: String,
    streams: Vec<FileStream>,
    #[serde(default, deserialize_with = "wire::present", skip_serializing_if = "Option::is_none")]
    valid_from_position: Option<u64>,
    #[serde(default, deserialize_with = "wire::present", skip_serializing_if = "Option::is_none")]
    valid_until_position: Option<u64>,
    status: KeyStatus,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FileStream {
    Named(StreamId),
    Wildcard(Wildcard),
}

// Not derived: an untagged enum would also take a stream as an array of two names.
impl<'de> Deserialize<'de> for FileStream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StreamVisitor;

        impl<'de> Visitor<'de> for StreamVisitor {
            type Value = FileStream;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object with tenant_id and recorder_id, or \"*\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<FileStream, E> {
                Wildcard::deserialize(text.into_deserializer()).map(FileStream::Wildcard)
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<FileStream, A::Error> {
                StreamId::deserialize(MapAccessDeserializer::new(members)).map(FileStream::Named)
            }
        }

        deserializer.deserialize_any(StreamVisitor)
    }
}

#[derive(Deserialize, Serialize)]
enum Wildcard {
    #[serde(rename = "*")]
    All,
}

impl TryFrom<FileKey> for TrustedKey {
    type Error = TrustedKeyError;

    fn try_from(raw: FileKey) -> Result<Self, TrustedKeyError> {
        let public_key =
            PublicKey::from_hex(&raw.public_key).map_err(TrustedKeyError::PublicKey)?;
        let expected = public_key.key_id();
        if raw.key_id != expected {
            return Err(TrustedKeyError::KeyId { expected, found: raw.key_id });
        }
        Self::new(public_key, trusted_streams(raw.streams)?, raw.status)?
            .within(raw.valid_from_position, raw.valid_until_position)
    }
}

fn trusted_streams(raw: Vec<FileStream>) -> Result<TrustedStreams, TrustedKeyError> {
    if let [FileStream::Wildcard(Wildcard::All)] = raw.as_slice() {
        return Ok(TrustedStreams::All);
    }
    let mut named = BTreeSet::new();
    for stream in raw {
        match stream {
            FileStream::Named(stream) if named.insert(stream.clone()) => {}
            _ => return Err(TrustedKeyError::RepeatedStream),
        }
    }
    Ok(TrustedStreams::Named(named))
}

impl From<&TrustedKey> for FileKey {
    fn from(key: &TrustedKey) -> Self {
        let streams = match &key.streams {
            TrustedStreams::All => vec![FileStream::Wildcard(Wildcard::All)],
            TrustedStreams::Named(named) => named.iter().cloned().map(FileStream::Named).collect(),
        };
        Self {
            key_id: key.key_id,
            public_key: key.public_key.to_hex(),
            streams,
            valid_from_position: key.valid_from_position,
            valid_until_position: key.valid_until_position,
            status: key.status,
        }
    }
}

#[cfg(test)]
mod tests {
    use recorder_core::identity::{RecorderId, TenantId};

    use super::*;
    use crate::signing::SecretKey;

    fn public_key(n: u8) -> PublicKey {
        SecretKey::from_seed(&[n; 32]).unwrap().public_key()
    }

    fn stream(recorder_id: &str) -> StreamId {
        StreamId {
            tenant_id: TenantId::new("default").unwrap(),
            recorder_id: RecorderId::new(recorder_id).unwrap(),
        }
    }

    fn named(recorder_ids: &[&str]) -> TrustedStreams {
        TrustedStreams::Named(recorder_ids.iter().map(|id| stream(id)).collect())
    }

    fn sample() -> TrustRoot {
        let bounded = TrustedKey::new(public_key(1), named(&["a"]), KeyStatus::Retired).unwrap();
        let bounded = bounded.within(Some(5), Some(9)).unwrap();
        let all = TrustedKey::new(public_key(2), TrustedStreams::All, KeyStatus::Active).unwrap();
        TrustRoot::new(vec![bounded, all], Some("log x\nquorum none\n".to_owned())).unwrap()
    }

    fn sample_text() -> String {
        String::from_utf8(sample().to_json().unwrap()).unwrap()
    }

    #[test]
    fn a_stream_is_an_object_or_a_star_and_no_array_of_names() {
        let named = r#"{"recorder_id":"a","tenant_id":"default"}"#;
        assert!(
            sample_text().contains(named) && TrustRoot::parse(sample_text().as_bytes()).is_ok()
        );
        for wrong in [r#"["default","a"]"#, r#""a""#, r#""""#, "null", "{}"] {
            let text = sample_text().replace(named, wrong);
            let refused = TrustRoot::parse(text.as_bytes());
            assert!(matches!(refused, Err(TrustRootError::Json(_))), "{wrong}: {refused:?}");
        }
    }

    fn parse(text: &str) -> Result<TrustRoot, TrustRootError> {
        TrustRoot::parse(text.as_bytes())
    }

    fn key_error(text: &str) -> TrustedKeyError {
        match parse(text).unwrap_err() {
            TrustRootError::Key { index: 0, source } => source,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_written_trust_root_is_read_back() {
        assert_eq!(parse(&sample_text()).unwrap(), sample());
        assert_eq!(sample().witness_policy(), Some("log x\nquorum none\n"));
        let key = TrustedKey::new(public_key(1), named(&["a", "b"]), KeyStatus::Compromised);
        let bare = TrustRoot::new(vec![key.unwrap()], None).unwrap();
        let text = String::from_utf8(bare.to_json().unwrap()).unwrap();
        assert!(!text.contains("valid_") && !text.contains("witness_policy"));
        assert_eq!(parse(&text).unwrap(), bare);
    }

    #[test]
    fn a_key_is_found_for_its_streams_and_positions_alone() {
        let root = sample();
        let ids = |name| root.keys_for(&stream(name)).map(TrustedKey::key_id).collect::<Vec<_>>();
        assert_eq!(ids("a"), [public_key(1).key_id(), public_key(2).key_id()]);
        assert_eq!(ids("b"), [public_key(2).key_id()]);
        let bounded = root.key(&public_key(1).key_id()).unwrap();
        let covered: Vec<u64> = (0..20).filter(|position| bounded.covers(*position)).collect();
        assert_eq!(covered, [5, 6, 7, 8, 9]);
        assert!(root.key(&public_key(2).key_id()).unwrap().covers(u64::MAX));
        assert!(root.key(&public_key(3).key_id()).is_none());
    }

    #[test]
    fn a_text_of_another_shape_is_refused() {
        let good = sample_text();
        let json = |text: &str| matches!(parse(text), Err(TrustRootError::Json(_)));
        assert!(!json(&good));
        for wrong in [
            String::new(),
            "[]".to_owned(),
            format!("\u{feff}{good}"),
            format!("{good}{good}"),
            good.replacen("recorder.trust-root/v1", "recorder.trust-root/v2", 1),
            good.replacen("{\"keys\"", "{\"x\":1,\"keys\"", 1),
            good.replacen("\"status\"", "\"note\":\"\",\"status\"", 1),
            good.replacen("\"status\":\"retired\"", "\"status\":\"Retired\"", 1),
            good.replacen(
                "\"status\":\"retired\"",
                "\"status\":\"retired\",\"status\":\"active\"",
                1,
            ),
            good.replacen("\"status\"", "\"st\\u0061tus\":\"active\",\"status\"", 1),
            good.replacen("\"*\"", "\"**\"", 1),
            good.replacen("\"*\"", "null", 1),
            good.replacen("\"tenant_id\"", "\"x\":1,\"tenant_id\"", 1),
            good.replacen("\"tenant_id\":\"default\"", "\"tenant_id\":\" default\"", 1),
            good.replacen("\"valid_from_position\":5", "\"valid_from_position\":null", 1),
            good.replacen("\"valid_from_position\":5", "\"valid_from_position\":5.0", 1),
            good.replacen("\"valid_from_position\":5", "\"valid_from_position\":-1", 1),
            good.replacen("\"valid_from_position\":5", "\"valid_from_position\":\"5\"", 1),
            good.replacen("\"log x\\nquorum none\\n\"", "null", 1),
            good.replacen("\"key_id\":\"", "\"key_id\":\"A", 1),
            format!("{good}{}", " ".repeat(1 << 20)),
        ] {
            assert!(json(&wrong), "{wrong:.200}");
        }
    }

    #[test]
    fn nobody_trusted_and_anybody_trusted_twice_are_refused() {
        let empty = r#"{"keys":[],"type":"recorder.trust-root/v1"}"#;
        assert!(matches!(parse(empty), Err(TrustRootError::NoKeys)));
        let key = TrustedKey::new(public_key(1), TrustedStreams::All, KeyStatus::Active).unwrap();
        let other = TrustedKey::new(public_key(1), named(&["a"]), KeyStatus::Retired).unwrap();
        let twice = TrustRoot::new(vec![key, other], None);
        assert!(matches!(twice, Err(TrustRootError::DuplicateKey { .. })));
    }

    #[test]
    fn a_key_must_be_sound_and_bear_its_own_name() {
        let good = sample_text();
        let key_id = public_key(1).key_id();
        let renamed = good.replacen(&key_id.to_string(), &"0".repeat(64), 1);
        let found = KeyId::from_bytes([0; 32]);
        assert_eq!(key_error(&renamed), TrustedKeyError::KeyId { expected: key_id, found });
        let identity = format!("01{}", "0".repeat(62));
        let weak = good.replacen(&public_key(1).to_hex(), &identity, 1);
        assert_eq!(key_error(&weak), TrustedKeyError::PublicKey(PublicKeyError::Weak));
        let upper =
            good.replacen(&public_key(1).to_hex(), &public_key(1).to_hex().to_uppercase(), 1);
        assert_eq!(key_error(&upper), TrustedKeyError::PublicKey(PublicKeyError::NotHex));
    }

    #[test]
    fn streams_are_named_once_or_all_at_once() {
        let good = sample_text();
        let a = r#"{"recorder_id":"a","tenant_id":"default"}"#;
        let b = r#"{"recorder_id":"b","tenant_id":"default"}"#;
        let with = |streams: &str| good.replacen(a, streams, 1);
        assert_eq!(key_error(&with("")), TrustedKeyError::NoStreams);
        assert_eq!(key_error(&with(&[a, a].join(","))), TrustedKeyError::RepeatedStream);
        assert_eq!(key_error(&with(&[a, "\"*\""].join(","))), TrustedKeyError::RepeatedStream);
        assert_eq!(key_error(&with("\"*\",\"*\"")), TrustedKeyError::RepeatedStream);
        assert_eq!(key_error(&with(&[a, b].join(","))), TrustedKeyError::PositionsWithoutStream);
        assert_eq!(key_error(&with("\"*\"")), TrustedKeyError::PositionsWithoutStream);
    }

    #[test]
    fn positions_are_in_order_and_exact_in_json() {
        let key = || TrustedKey::new(public_key(1), named(&["a"]), KeyStatus::Active).unwrap();
        assert!(key().within(Some(5), Some(5)).unwrap().covers(5));
        assert_eq!(
            key().within(Some(6), Some(5)).unwrap_err(),
            TrustedKeyError::Positions { from: 6, until: 5 }
        );
        assert!(key().within(None, Some(TRUSTED_POSITION_MAX + 1)).is_err());
        assert!(key().within(Some(TRUSTED_POSITION_MAX + 1), None).is_err());
        let reversed = sample_text().replacen("_until_position\":9", "_until_position\":4", 1);
        assert_eq!(key_error(&reversed), TrustedKeyError::Positions { from: 5, until: 4 });
    }
}
