//! The records of one resource while they wait for it to be complete.

use crate::draft::{Draft, Frame};
use crate::fault::Fault;
use crate::note::Notes;
use crate::pages::Pages;
use crate::signal::Signal;

/// A resource or scope: its canonical text, or why there is none.
pub(crate) type Rendered = Result<Vec<u8>, Fault>;

/// One resource with what was read of it so far.
pub(crate) struct Group {
    pub(crate) signal: Signal,
    pub(crate) index: usize,
    pub(crate) entries: Vec<Entry>,
    pub(crate) scopes: Vec<Scope>,
    /// The text of the records that were read.
    pub(crate) pages: Pages,
    /// The frame that the records of the scope at hand are given.
    pub(crate) assumed: Option<Frame>,
}

/// A scope that is complete.
pub(crate) struct Scope {
    pub(crate) index: usize,
    pub(crate) rendered: Rendered,
    pub(crate) notes: Notes,
    /// The frame that its records were given.
    pub(crate) assumed: Option<Frame>,
}

/// One record that came in.
pub(crate) struct Entry {
    /// Index into the scopes of the group.
    pub(crate) scope: usize,
    pub(crate) index: usize,
    pub(crate) read: Result<Draft, Lost>,
}

/// A record that was refused.
pub(crate) struct Lost {
    pub(crate) fault: Fault,
    /// The marker of the record as it came.
    pub(crate) marker: Vec<u8>,
}

impl Group {
    /// Begins the resource at `index`.
    pub(crate) fn new(signal: Signal, index: usize) -> Self {
        let pages = Pages::default();
        Self { signal, index, entries: Vec::new(), scopes: Vec::new(), pages, assumed: None }
    }

    /// Adds a record that was read from the scope at hand, which is the next to be ended.
    pub(crate) fn accept(&mut self, index: usize, draft: Draft) {
        self.entries.push(Entry { scope: self.scopes.len(), index, read: Ok(draft) });
    }

    /// Adds a record that was refused.
    pub(crate) fn reject(&mut self, index: usize, fault: Fault, marker: Vec<u8>) {
        let read = Err(Lost { fault, marker });
        self.entries.push(Entry { scope: self.scopes.len(), index, read });
    }

    /// Ends the scope at hand. One without records leaves nothing, however many there are.
    pub(crate) fn end_scope(&mut self, index: usize, rendered: Rendered, notes: Notes) {
        let assumed = self.assumed.take();
        if self.entries.last().is_some_and(|last| last.scope == self.scopes.len()) {
            self.scopes.push(Scope { index, rendered, notes, assumed });
        }
    }

    /// Where the resource stands in its input.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.signal.resources(), self.index)
    }
}
