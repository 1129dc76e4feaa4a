"""Selectors (format §12): their form, and their canonical form in a manifest.

Deliberately absent: selecting. What a bundle holds is verified whatever was asked for.
"""

from collections.abc import Callable

from recorder_client.verify import form
from recorder_client.verify.identifier import is_event_type, is_event_type_prefix, is_name, is_uuid7
from recorder_client.verify.json_text import Limits, RefusedError, Value, canonical_text, parse
from recorder_client.verify.time import canonical_time

LIMITS = Limits(input_bytes_max=1 << 20, depth_max=67, nodes_max=100_000)
POSITION_MAX = 2**64 - 1


def read_selector(value: Value) -> Value:
    """The selector in its canonical form; raises `FormError` where it is none."""
    selector = _read(value)
    try:
        parse(canonical_text(selector).encode(), LIMITS, canonical=True)
    except RefusedError as error:
        raise form.FormError(f"selector: {error}") from None
    return selector


def _read(value: Value) -> Value:
    if not isinstance(value, dict) or len(value) != 1:
        raise form.FormError("selector: not an object with one member")
    ((kind, argument),) = value.items()
    if kind in ("all", "any"):
        return {kind: list(form.items(argument, _read, kind))}
    if kind == "not":
        return {kind: _read(argument)}
    form.check(kind in _SIMPLE, f"selector: {kind} is none")
    return {kind: _SIMPLE[kind](argument)}


def _ids(value: Value) -> Value:
    ids: list[Value] = []
    ids.extend(sorted(set(form.items(value, lambda item: form.text(item, is_uuid7, "id"), "ids"))))
    return ids


def _one(name: str, is_allowed: Callable[[str], bool]) -> Callable[[Value], Value]:
    def read(value: Value) -> Value:
        return {name: form.text(form.members(value, (name,))[name], is_allowed, name)}

    return read


def _event_type(value: Value) -> Value:
    found = form.members(value, (), ("equals", "prefix"))
    form.check(len(found) == 1, "event_type: equals or prefix")
    if "equals" in found:
        return {"equals": form.text(found["equals"], is_event_type, "equals")}
    return {"prefix": form.text(found["prefix"], is_event_type_prefix, "prefix")}


def _positions(value: Value) -> Value:
    found = form.members(value, (), ("from", "to"))
    form.check(len(found) > 0, "positions: no bound")
    ends = {name: form.integer(found[name], name, POSITION_MAX) for name in found}
    form.check(len(ends) < 2 or ends["from"] < ends["to"], "positions: from is not before to")
    return dict(ends)


def _claimed_time(value: Value) -> Value:
    found = form.members(value, (), ("from", "to"))
    form.check(len(found) > 0, "claimed_time: no bound")
    ends = {}
    for name, given in found.items():
        spelled = canonical_time(given) if isinstance(given, str) else None
        if spelled is None:
            raise form.FormError(f"{name}: not a time")
        ends[name] = spelled
    form.check(len(ends) < 2 or ends["from"] < ends["to"], "claimed_time: from is not before to")
    return dict(ends)


_SIMPLE: dict[str, Callable[[Value], Value]] = {
    "segment": _one("segment_id", is_uuid7),
    "segments": _ids,
    "positions": _positions,
    "envelopes": _ids,
    "trace": _one("trace_id", is_name),
    "session": _one("session_id", is_name),
    "actor": _one("actor_id", is_name),
    "event_type": _event_type,
    "claimed_time": _claimed_time,
}
