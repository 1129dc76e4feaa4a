//! Pages of envelopes by filter, in the order of the stream.

use std::ops::ControlFlow;

use recorder_core::filter::{Cursor, EnvelopeFilter, FilterError, PageSize};
use recorder_core::identity::StreamId;
use recorder_core::limits::PAGE_BYTES_MAX;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_store::{ReadError, Store};

/// Why a query gave no page.
#[derive(Clone, Debug, thiserror::Error)]
pub enum QueryError {
    /// The cursor belongs to another query.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The store could not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Envelopes by position, and where the next ones are.
#[derive(Clone, Debug)]
pub struct Page {
    /// The envelopes.
    pub envelopes: Vec<SealedEnvelope>,
    /// Continues the query; `None` when nothing follows.
    pub next_cursor: Option<Cursor>,
}

/// Reads one page of the envelopes of `stream` that match `filter`.
///
/// A page ends early, with a cursor, once its envelopes are large: it holds about `PAGE_BYTES_MAX` and one envelope more
/// at the most.
///
/// A cursor keeps the order stable while envelopes are added: what was recorded later comes on later pages.
///
/// # Errors
///
/// `QueryError`; a cursor of another stream or filter is refused.
pub fn page(
    store: &dyn Store,
    stream: &StreamId,
    filter: &EnvelopeFilter,
    cursor: Option<&Cursor>,
    size: PageSize,
) -> Result<Page, QueryError> {
    let first = cursor.map_or(Ok(0), |cursor| cursor.resume(stream, filter))?;
    let mut envelopes = Vec::new();
    let mut bytes = 0;
    let mut next_cursor = None;
    store.scan(stream, filter, first..u64::MAX, &mut |envelope| {
        if envelopes.len() == size.value() || bytes >= PAGE_BYTES_MAX {
            next_cursor = Some(Cursor::new(stream, filter, envelope.place.position));
            return ControlFlow::Break(());
        }
        bytes += weight(&envelope);
        envelopes.push(envelope);
        ControlFlow::Continue(())
    })?;
    Ok(Page { envelopes, next_cursor })
}

/// About how many bytes an envelope takes as JSON.
fn weight(envelope: &SealedEnvelope) -> usize {
    const FIELDS: usize = 1 << 10;
    const REFERENCE: usize = 256;
    let payload = envelope.payload.as_ref().map_or(0, |salted| salted.payload.as_bytes().len());
    FIELDS + payload + envelope.fields.attachment_refs.as_slice().len() * REFERENCE
}
