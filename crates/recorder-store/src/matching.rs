//! Whether one envelope matches a filter: what every query must agree with, however it was planned.

use recorder_core::filter::EnvelopeFilter;
use recorder_envelope::envelope::SealedEnvelope;

/// Whether all conditions of `filter` hold for `envelope`.
pub(crate) fn matches(filter: &EnvelopeFilter, envelope: &SealedEnvelope) -> bool {
    let (fields, place) = (&envelope.fields, &envelope.place);
    let one_of_types = filter
        .event_types
        .as_ref()
        .is_none_or(|types| types.iter().any(|wanted| wanted.matches(fields.event_type.as_str())));
    one_of_types
        && filter.actor_ids.as_ref().is_none_or(|ids| ids.contains(&fields.actor_id))
        && filter.environment_ids.as_ref().is_none_or(|ids| ids.contains(&fields.environment_id))
        && filter
            .trace_ids
            .as_ref()
            .is_none_or(|ids| fields.trace_id.as_ref().is_some_and(|id| ids.contains(id)))
        && filter
            .session_ids
            .as_ref()
            .is_none_or(|ids| fields.session_id.as_ref().is_some_and(|id| ids.contains(id)))
        && filter.segment_ids.as_ref().is_none_or(|ids| ids.contains(&place.segment_id))
        && filter.envelope_ids.as_ref().is_none_or(|ids| ids.contains(&fields.envelope_id))
        && filter.claimed_time.is_none_or(|range| range.contains(fields.claimed_time))
        && filter.recorded_at.is_none_or(|range| range.contains(place.recorded_at.into()))
        && filter.positions.is_none_or(|range| range.contains(place.position))
}
