//! What an attribute's key means, looked up once: exporters send the same few keys again and again.
//!
//! The table is a cache in front of the redaction policy; forgetting all of it changes nothing but speed.

use recorder_envelope::json::write_string;
use recorder_envelope::redaction::{Kind, NameVerdict, PairPart};

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

/// What the value under a key is to others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// It names the actor, the environment or the session.
    Label(Label),
    /// It says what its neighbour holds, or is that neighbour.
    Pair(PairPart),
}

/// What a key says of its value.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Under<'s> {
    /// Why the value is removed, if it is: a string, an array, a list. No key makes a secret of `true`, `false` or nothing.
    reason: Option<&'s str>,
    /// Whether numbers stay all the same, as they do under the name of a count.
    keeps_numbers: bool,
    pub(crate) part: Option<Part>,
}

impl<'s> Under<'s> {
    /// Under no key in particular.
    pub(crate) const NOTHING: Under<'static> =
        Under { reason: None, keeps_numbers: false, part: None };

    /// What follows from the verdict on strings, which is that on arrays and lists; what a name says of numbers is no more.
    fn of(key: &str, verdict: NameVerdict<'s>, screen: &Screen<'s>) -> Self {
        let reason = match verdict {
            NameVerdict::Sensitive(reason) | NameVerdict::Secret(reason) => Some(reason),
            NameVerdict::Plain => None,
        };
        let part = Label::of(key).map(Part::Label);
        let keeps_numbers =
            reason.is_none() || screen.verdict(key, Kind::Number) == NameVerdict::Plain;
        Self { reason, keeps_numbers, part: part.or_else(|| screen.pair_part(key).map(Part::Pair)) }
    }

    /// Why a string, an array or a list is removed.
    #[inline]
    pub(crate) const fn removed(self) -> Option<&'s str> {
        self.reason
    }

    /// Why a number is removed.
    #[inline]
    pub(crate) const fn removed_number(self) -> Option<&'s str> {
        if self.keeps_numbers { None } else { self.reason }
    }
}

/// What a key means, and how it is written.
pub(crate) struct Key<'s> {
    pub(crate) text: Box<str>,
    /// Tells keys apart; equal keys have equal hashes.
    pub(crate) hash: u64,
    pub(crate) under: Under<'s>,
    /// Whether the key may be shown as it is.
    pub(crate) plain: bool,
    /// `{"key":KEY,`, as it came.
    pub(crate) opening: Box<[u8]>,
    /// `{"key":KEY,"value":`, as SDKs spell it.
    spelled: Box<[u8]>,
    /// Where the key is that came behind it last.
    next: usize,
    /// The value that it had last.
    last: Last,
}

/// A value as it was spelled and as it was rendered. Most attributes say the same in record after record.
struct Last {
    spelled: Vec<u8>,
    rendered: Vec<u8>,
    /// How often another value may still come before none is kept any more.
    patience: u8,
}

/// How often in a row another value may come.
const PATIENCE: u8 = 8;

/// Bytes of the longest value that is kept, as spelled and as rendered.
const LAST_BYTES_MAX: usize = 256;

impl<'s> Key<'s> {
    fn of(text: &str, hash: u64, screen: &Screen<'s>) -> Self {
        let verdict = screen.verdict(text, Kind::String);
        let mut opening = KEY_OPENING.to_vec();
        write_string(&mut opening, text);
        opening.push(b',');
        Self {
            text: text.into(),
            hash,
            under: Under::of(text, verdict, screen),
            plain: !matches!(verdict, NameVerdict::Secret(_)),
            spelled: [&opening[..], b"\"value\":"].concat().into(),
            opening: opening.into(),
            next: ENTRIES,
            last: Last { spelled: Vec::new(), rendered: Vec::new(), patience: PATIENCE },
        }
    }
}

/// How an attribute begins.
pub(crate) const KEY_OPENING: &[u8; 7] = b"{\"key\":";

/// Entries of the table.
const ENTRIES: usize = 512;

/// Bytes of the longest key that is kept.
const KEPT_BYTES_MAX: usize = 96;

/// The keys met last, at the places that their hashes give them; at the last place, the last one that is too long.
pub(crate) struct KeyTable<'s> {
    keys: Box<[Option<Key<'s>>]>,
    /// Where the key is that began the last list.
    first: usize,
    /// How many keys were learned.
    learned: u64,
}

/// Where a value may be kept, and since when: holds until another key is learned.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    place: usize,
    learned: u64,
}

impl Default for KeyTable<'_> {
    fn default() -> Self {
        Self { keys: (0..=ENTRIES).map(|_| None).collect(), first: ENTRIES, learned: 0 }
    }
}

impl<'s> KeyTable<'s> {
    /// What stands before the first key of a list.
    pub(crate) const START: usize = usize::MAX;

    /// Finds out what `key` means; gives its place.
    #[inline]
    pub(crate) fn place(&mut self, key: &str, screen: &Screen<'s>) -> usize {
        let hash = hash(key.as_bytes());
        let place = match key.len() <= KEPT_BYTES_MAX {
            true => (hash >> 32) as usize % ENTRIES,
            false => ENTRIES,
        };
        let known = self.at(place).is_some_and(|kept| kept.hash == hash && *kept.text == *key);
        if !known {
            self.learn(place, Key::of(key, hash, screen));
        }
        place
    }

    #[cold]
    fn learn(&mut self, place: usize, key: Key<'s>) {
        self.learned += 1;
        if let Some(kept) = self.keys.get_mut(place) {
            *kept = Some(key);
        }
    }

    /// The key at a place.
    #[inline]
    pub(crate) fn at(&self, place: usize) -> Option<&Key<'s>> {
        self.keys.get(place)?.as_ref()
    }

    /// The key that came behind the one at `before` the last time, if `text` begins with it as SDKs spell it: its place, and
    /// how long it is there.
    #[inline]
    pub(crate) fn expected(&self, before: usize, text: &[u8]) -> Option<(usize, usize)> {
        let place = if before == Self::START { self.first } else { self.at(before)?.next };
        let spelled = &self.at(place)?.spelled;
        text.starts_with(spelled).then_some((place, spelled.len()))
    }

    /// Remembers that the key at `place` came behind the one at `before`.
    #[inline]
    pub(crate) fn expect(&mut self, before: usize, place: usize) {
        match self.keys.get_mut(before) {
            _ if before == Self::START => self.first = place,
            Some(Some(key)) => key.next = place,
            _ => {}
        }
    }

    /// Where values of the key that was looked up last are kept; `None` where they are not, for they are removed, or mean
    /// something to others.
    #[inline]
    pub(crate) fn slot(&self, place: usize) -> Option<Slot> {
        let under = self.at(place)?.under;
        let is_kept = place < ENTRIES && under.reason.is_none() && under.part.is_none();
        is_kept.then_some(Slot { place, learned: self.learned })
    }

    /// The value that the key had last, if `text` begins with it: how long it is there, and how it is rendered.
    #[inline]
    pub(crate) fn repeated(&mut self, slot: Slot, text: &[u8]) -> Option<(usize, &[u8])> {
        let last = &mut self.keys.get_mut(slot.place)?.as_mut()?.last;
        if last.spelled.is_empty() || !text.starts_with(&last.spelled) {
            return None;
        }
        last.patience = PATIENCE;
        Some((last.spelled.len(), &last.rendered))
    }

    /// Keeps a value that was read whole.
    #[inline]
    pub(crate) fn keep(&mut self, slot: Slot, spelled: &str, rendered: &[u8]) {
        let is_same = slot.learned == self.learned;
        let Some(Some(key)) = self.keys.get_mut(slot.place).filter(|_| is_same) else { return };
        let last = &mut key.last;
        last.spelled.clear();
        if last.patience == 0 || spelled.len().max(rendered.len()) > LAST_BYTES_MAX {
            return;
        }
        last.patience -= 1;
        last.spelled.extend_from_slice(spelled.as_bytes());
        last.rendered.clear();
        last.rendered.extend_from_slice(rendered);
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
