"""Which envelopes of a stream a bundle holds, in words: `selection.trace("…")`, `selection.any_of(…, …)`."""

from recorder_client import models
from recorder_client.models import Selector


def segment(segment_id: str) -> Selector:
    """All of one segment."""
    return models.SelectorSegment(segment=models.SelectorSegmentSegment(segment_id=segment_id))


def segments(*segment_ids: str) -> Selector:
    """All of several segments."""
    return models.SelectorSegments(segments=segment_ids)


def positions(start: int | None = None, end: int | None = None) -> Selector:
    """Positions from `start`, which is included, to `end`, which is not."""
    return models.SelectorPositions(positions=models.PositionRange(from_=start, to=end))


def envelopes(*envelope_ids: str) -> Selector:
    """Envelopes by their ids."""
    return models.SelectorEnvelopes(envelopes=envelope_ids)


def trace(trace_id: str) -> Selector:
    """All of one trace."""
    return models.SelectorTrace(trace=models.SelectorTraceTrace(trace_id=trace_id))


def session(session_id: str) -> Selector:
    """All of one session."""
    return models.SelectorSession(session=models.SelectorSessionSession(session_id=session_id))


def actor(actor_id: str) -> Selector:
    """All of one actor."""
    return models.SelectorActor(actor=models.SelectorActorActor(actor_id=actor_id))


def event_type(equals: str) -> Selector:
    """All of one event type."""
    return models.SelectorEventTypeEquals(event_type=models.SelectorEventTypeEqualsEventType(equals=equals))


def event_type_prefix(prefix: str) -> Selector:
    """All event types that begin so."""
    return models.SelectorEventTypePrefix(event_type=models.SelectorEventTypePrefixEventType(prefix=prefix))


def claimed_time(start: str | None = None, end: str | None = None) -> Selector:
    """Claimed times from `start`, which is included, to `end`, which is not."""
    return models.SelectorClaimedTime(claimed_time=models.TimeRange(from_=start, to=end))


def all_of(*selectors: Selector) -> Selector:
    """What every one of them takes."""
    return models.SelectorAll(all=selectors)


def any_of(*selectors: Selector) -> Selector:
    """What any of them takes."""
    return models.SelectorAny(any=selectors)


def none_of(selector: Selector) -> Selector:
    """What it does not take."""
    return models.SelectorNot(not_=selector)
