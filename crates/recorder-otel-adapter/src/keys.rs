//! What an attribute's key means, looked up once: exporters send the same few keys again and again.
//!
//! The table is a cache in front of the redaction policy; forgetting all of it changes nothing but speed.

use recorder_envelope::redaction::{Kind, NameVerdict};

use crate::screen::Screen;

/// An attribute that names the actor, the environment or the session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Label {
    Agent,
    Conversation,
    Session,
    McpSession,
    ServiceName,
    ServiceNamespace,
    EnvironmentName,
    Environment,
}

impl Label {
    /// How many there are.
    pub(crate) const COUNT: usize = 8;

    /// Each with the key of its attribute.
    pub(crate) const ALL: [(Self, &'static str); Self::COUNT] = [
        (Self::Agent, "gen_ai.agent.id"),
        (Self::Conversation, "gen_ai.conversation.id"),
        (Self::Session, "session.id"),
        (Self::McpSession, "mcp.session.id"),
        (Self::ServiceName, "service.name"),
        (Self::ServiceNamespace, "service.namespace"),
        (Self::EnvironmentName, "deployment.environment.name"),
        (Self::Environment, "deployment.environment"),
    ];

    fn of(key: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == key).map(|(label, _)| *label)
    }
}

/// What a key means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyClass<'s> {
    /// Tells keys apart; equal keys have equal hashes.
    pub(crate) hash: u64,
    /// Why its values are removed, if they are: strings, numbers, arrays and lists.
    pub(crate) removed: Removed<'s>,
    /// What its value names, if anything.
    pub(crate) label: Option<Label>,
    /// Whether the key may be shown as it is.
    pub(crate) plain: bool,
}

/// Why a value is removed, if it is, by its kind. No key makes a secret of `true`, `false` or nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Removed<'s> {
    pub(crate) string: Option<&'s str>,
    pub(crate) number: Option<&'s str>,
    pub(crate) nested: Option<&'s str>,
}

impl<'s> Removed<'s> {
    fn of(key: &str, screen: &Screen<'s>) -> Self {
        let reason = |kind| match screen.verdict(key, kind) {
            NameVerdict::Sensitive(reason) | NameVerdict::Secret(reason) => Some(reason),
            NameVerdict::Plain => None,
        };
        Self {
            string: reason(Kind::String),
            number: reason(Kind::Number),
            nested: reason(Kind::Container),
        }
    }
}

/// Entries of the table.
const ENTRIES: usize = 2048;

/// Bytes of the longest key that is kept.
const KEPT_BYTES_MAX: usize = 96;

/// The keys met last, at the places that their hashes give them.
pub(crate) struct KeyTable<'s> {
    entries: Box<[Option<Entry<'s>>]>,
}

/// A key and what it means.
type Entry<'s> = (Box<str>, KeyClass<'s>);

impl Default for KeyTable<'_> {
    fn default() -> Self {
        Self { entries: vec![None; ENTRIES].into_boxed_slice() }
    }
}

impl<'s> KeyTable<'s> {
    /// What `key` means.
    #[inline]
    pub(crate) fn classify(&mut self, key: &str, screen: &Screen<'s>) -> KeyClass<'s> {
        let hash = hash(key.as_bytes());
        let place = (hash >> 32) as usize % ENTRIES;
        if let Some(Some((kept, class))) = self.entries.get(place)
            && class.hash == hash
            && **kept == *key
        {
            return *class;
        }
        self.learn(key, hash, place, screen)
    }

    #[cold]
    fn learn(&mut self, key: &str, hash: u64, place: usize, screen: &Screen<'s>) -> KeyClass<'s> {
        let class = KeyClass {
            hash,
            removed: Removed::of(key, screen),
            label: Label::of(key),
            plain: !matches!(screen.verdict(key, Kind::String), NameVerdict::Secret(_)),
        };
        if key.len() <= KEPT_BYTES_MAX
            && let Some(entry) = self.entries.get_mut(place)
        {
            *entry = Some((key.into(), class));
        }
        class
    }
}

/// A hash of a few multiplications. Whoever finds collisions slows the look-up of his own keys down.
#[inline]
fn hash(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = FACTOR ^ bytes.len() as u64;
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        state = mix(state ^ u64::from_le_bytes(*chunk), FACTOR);
        rest = after;
    }
    let mut last = [0; 8];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    mix(state ^ u64::from_le_bytes(last), FACTOR)
}

/// The halves of the 128-bit product, folded.
#[inline]
const fn mix(left: u64, right: u64) -> u64 {
    let product = left as u128 * right as u128;
    (product >> 64) as u64 ^ product as u64
}
