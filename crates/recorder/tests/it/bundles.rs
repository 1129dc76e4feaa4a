//! Bundles.
use recorder_core::identity::StreamId;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_store::Store;

pub(crate) fn check_whole(
    _store: &dyn Store,
    _stream: &StreamId,
    _envelopes: &[SealedEnvelope],
    _signed: bool,
) {
}
