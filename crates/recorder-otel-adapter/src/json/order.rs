//! In which order the members of a message came the last time: an SDK writes the same ones in the same order, record after
//! record, so that the next name can be compared instead of read.

use super::cursor::Cursor;

/// Members that a message can have, at most.
const MEMBERS_MAX: usize = 16;

/// The members of a message, each with its place in the schema.
pub(super) trait Members: Copy + 'static {
    /// All of them, at their places.
    const ALL: &'static [Self];

    /// The place of this one.
    fn place(self) -> u8;

    /// Moves past the name and its colon, if they stand right here as SDKs spell them.
    fn take(self, cursor: &mut Cursor<'_>) -> bool;
}

/// What came behind each member the last time.
#[derive(Clone, Copy, Default)]
pub(super) struct Order {
    /// The place of what came behind the beginning, and then behind each member.
    behind: [u8; MEMBERS_MAX + 1],
}

/// What was read last of an object: a member, or its opening.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(super) struct Behind(u8);

impl Behind {
    /// This member was read last.
    #[inline]
    pub(super) fn of<M: Members>(member: M) -> Self {
        Self(member.place() + 1)
    }
}

impl Order {
    /// Moves past the name of the member that came here the last time, with its comma and colon, if it stands here again.
    #[inline(always)]
    pub(super) fn take<M: Members>(
        &self,
        behind: Behind,
        first: bool,
        cursor: &mut Cursor<'_>,
    ) -> Option<M> {
        let place = self.behind.get(usize::from(behind.0))?;
        let member = *M::ALL.get(usize::from(*place))?;
        let start = cursor.position();
        if (first || cursor.take(b",")) && member.take(cursor) {
            return Some(member);
        }
        cursor.seek(start);
        None
    }

    /// Remembers what came here.
    pub(super) fn learn<M: Members>(&mut self, behind: Behind, member: M) {
        if let Some(place) = self.behind.get_mut(usize::from(behind.0)) {
            *place = member.place();
        }
    }
}

/// The orders of all messages.
#[derive(Clone, Copy, Default)]
pub(super) struct Orders {
    pub(super) span: Order,
    pub(super) status: Order,
    pub(super) event: Order,
    pub(super) link: Order,
    pub(super) log: Order,
    pub(super) resource: Order,
    pub(super) scope: Order,
}
