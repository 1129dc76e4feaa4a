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

    /// What the key says there: only attributes that are a record's or a resource's own name anybody.
    #[inline]
    pub(crate) fn at(self, is_own: bool) -> Self {
        match self.part {
            Some(Part::Label(_)) if !is_own => Self { part: None, ..self },
            _ => self,
        }
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
    /// The keys that came behind it, the last one first.
    next: Next,
    /// What stood under it.
    last: [Last; LAST_KEPT],
    /// Which of them gives way next.
    turn: usize,
    /// How often another value may still come before none is kept any more.
    patience: u8,
}

/// Keys that came behind another one, or began a list, the last one first.
type Next = [usize; 2];

/// Attributes that are kept of each key.
const LAST_KEPT: usize = 2;

/// An attribute: its value as it was spelled up to the end of the attribute, and all of it as it was rendered. Most say the
/// same in record after record.
#[derive(Default)]
struct Last {
    spelled: Vec<u8>,
    rendered: Vec<u8>,
}

/// How an attribute begins.
pub(crate) enum Begun<'k> {
    /// With a key that came here before.
    Key {
        /// The index of the key.
        index: usize,
        /// Bytes up to the value, as spelled.
        length: usize,
    },
    /// It says what one of the last ones with its key said.
    Repeated {
        /// The index of the key.
        index: usize,
        /// The hash of the key.
        hash: u64,
        /// Bytes of it, as spelled.
        length: usize,
        /// All of it.
        rendered: &'k [u8],
        /// Bytes of the key, as rendered.
        opening: usize,
    },
}

/// How often in a row another value may come.
const PATIENCE: u8 = 8;

/// Bytes of the longest attribute that is kept, as spelled and as rendered.
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
            next: [NONE; 2],
            last: Default::default(),
            turn: 0,
            patience: PATIENCE,
        }
    }
}

/// How an attribute begins.
pub(crate) const KEY_OPENING: &[u8; 7] = b"{\"key\":";

/// Places that hashes give.
const PLACES: usize = 512;

/// Bytes of the longest key that is kept.
const KEPT_BYTES_MAX: usize = 96;

/// Stands for no key.
const NONE: usize = usize::MAX;

/// The keys met last, in the order in which they were met first; of keys with the same place, and of those that are too long,
/// only the last one.
pub(crate) struct KeyTable<'s> {
    keys: Vec<Key<'s>>,
    /// Where the key of each place is among the keys, from one on; zero where there is none. The last place is for those that
    /// are too long.
    places: Box<[u16; PLACES + 1]>,
    /// The keys that began lists.
    first: Next,
    /// How many keys were learned.
    learned: u64,
}

/// Where an attribute may be kept, and since when: holds until another key is learned.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    key: usize,
    learned: u64,
}

impl Default for KeyTable<'_> {
    fn default() -> Self {
        Self { keys: Vec::new(), places: Box::new([0; PLACES + 1]), first: [NONE; 2], learned: 0 }
    }
}

impl<'s> KeyTable<'s> {
    /// What stands before the first key of a list.
    pub(crate) const START: usize = NONE;

    /// Finds out what `key` means; gives its index.
    #[inline]
    pub(crate) fn find(&mut self, key: &str, screen: &Screen<'s>) -> usize {
        let hash = hash(key.as_bytes());
        let place = match key.len() <= KEPT_BYTES_MAX {
            true => (hash >> 32) as usize % PLACES,
            false => PLACES,
        };
        let index =
            self.places.get(place).map_or(NONE, |index| usize::from(*index).wrapping_sub(1));
        match self.keys.get(index) {
            Some(kept) if kept.hash == hash && *kept.text == *key => index,
            _ => self.learn(place, index, Key::of(key, hash, screen)),
        }
    }

    #[cold]
    fn learn(&mut self, place: usize, index: usize, key: Key<'s>) -> usize {
        self.learned += 1;
        if let Some(kept) = self.keys.get_mut(index) {
            *kept = key;
            return index;
        }
        self.keys.push(key);
        if let (Some(index), Ok(behind)) =
            (self.places.get_mut(place), u16::try_from(self.keys.len()))
        {
            *index = behind;
        }
        self.keys.len() - 1
    }

    /// The key at an index.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> Option<&Key<'s>> {
        self.keys.get(index)
    }

    /// How the attribute begins that stands at the beginning of `text`, behind the key at `before`, if it came there before and
    /// is spelled as SDKs do. Only where the attribute is wanted `whole` is its value compared.
    #[inline]
    pub(crate) fn begun(&self, before: usize, text: &[u8], whole: bool) -> Option<Begun<'_>> {
        let next = if before == Self::START { self.first } else { self.at(before)?.next };
        let is_next =
            |index: &usize| self.at(*index).is_some_and(|key| text.starts_with(&key.spelled));
        let index = next.into_iter().find(is_next)?;
        let Key { spelled, last, hash, opening, .. } = self.at(index)?;
        let value = text.get(spelled.len()..)?;
        let is_last =
            |last: &&Last| whole && !last.spelled.is_empty() && value.starts_with(&last.spelled);
        Some(match last.iter().find(is_last) {
            None => Begun::Key { index, length: spelled.len() },
            Some(last) => Begun::Repeated {
                index,
                hash: *hash,
                length: spelled.len() + last.spelled.len(),
                rendered: &last.rendered,
                opening: opening.len(),
            },
        })
    }

    /// Says that an attribute with the key at `index` was one of the last ones again.
    #[inline]
    pub(crate) fn repeated(&mut self, index: usize) {
        if let Some(key) = self.keys.get_mut(index) {
            key.patience = PATIENCE;
        }
    }

    /// Remembers that the key at `index` came behind the one at `before`.
    #[cold]
    pub(crate) fn expect(&mut self, before: usize, index: usize) {
        let next = match self.keys.get_mut(before) {
            _ if before == Self::START => &mut self.first,
            Some(key) => &mut key.next,
            None => return,
        };
        *next = [index, next[0]];
    }

    /// Where attributes with the key that was looked up last are kept; `None` where they are not, for something of them is
    /// removed, or means something to others.
    #[inline]
    pub(crate) fn slot(&self, index: usize) -> Option<Slot> {
        let key = self.at(index)?;
        let Under { reason, part, .. } = key.under;
        let is_kept = key.plain && key.text.len() <= KEPT_BYTES_MAX;
        let says_nothing = reason.is_none() && part.is_none();
        (is_kept && says_nothing).then_some(Slot { key: index, learned: self.learned })
    }

    /// Keeps an attribute that was read whole: its value as spelled, and all of it as rendered. Where hardly any comes again,
    /// none is kept any more.
    #[inline]
    pub(crate) fn keep(&mut self, slot: Slot, spelled: &str, rendered: &[u8]) {
        let is_same = slot.learned == self.learned;
        let Some(key) = self.keys.get_mut(slot.key).filter(|_| is_same) else { return };
        if key.patience == 0 {
            return key.last.iter_mut().for_each(|last| last.spelled.clear());
        }
        if spelled.len().max(rendered.len()) > LAST_BYTES_MAX {
            return;
        }
        key.patience -= 1;
        key.turn = (key.turn + 1) % LAST_KEPT;
        if let Some(Last { spelled: place, rendered: beside }) = key.last.get_mut(key.turn) {
            place.clear();
            place.extend_from_slice(spelled.as_bytes());
            beside.clear();
            beside.extend_from_slice(rendered);
        }
    }
}

/// A hash of a few multiplications. Whoever finds collisions slows the look-up of his own keys down.
#[inline]
pub(crate) fn hash(bytes: &[u8]) -> u64 {
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
