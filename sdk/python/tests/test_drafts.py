"""Drafts that say the same each time, and hashes that are those of the format's page."""

import datetime
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import EXAMPLE_REQUEST, RECEIPT, example_draft, stage

from recorder_client import Attachment, Draft, InvalidRequestError, derived_salt, new_id, repeatable, time_text
from recorder_client.drafts import prepare, uuid7
from recorder_client.surroundings import REAL
from recorder_client.verify.identifier import is_uuid7


def bare(**members: object) -> Draft:
    return Draft(event_type="tool.call", actor_id="a", environment_id="e", payload={"n": 0}, **members)  # type: ignore[arg-type]


@given(st.integers(0, (1 << 48) * 10**6 - 1), st.binary(min_size=10, max_size=10))
def test_ids_are_of_version_7_and_begin_with_their_time(time_ns: int, random: bytes) -> None:
    found = uuid7(time_ns, random)
    assert is_uuid7(found)
    assert int(found.replace("-", "")[:12], 16) == time_ns // 10**6


def test_what_is_missing_is_filled_in_once_and_what_is_there_is_kept() -> None:
    whole = repeatable(bare())
    assert whole.envelope_id
    assert whole.claimed_time
    assert whole.payload_salt
    assert repeatable(whole) == whole
    assert Draft(**whole.as_json()) == whole
    kept = repeatable(bare(envelope_id=new_id(), claimed_time="2026-11-22T00:00:00Z", payload_salt="0" * 32))
    assert (kept.claimed_time, kept.payload_salt) == ("2026-11-22T00:00:00Z", "0" * 32)


def test_ids_and_salts_do_not_repeat() -> None:
    drafts = [repeatable(bare()) for _ in range(1000)]
    assert len({one.envelope_id for one in drafts}) == 1000
    assert len({one.payload_salt for one in drafts}) == 1000


def test_hashes_are_those_that_the_sidecar_gives_for_the_example() -> None:
    prepared = prepare(Draft(**EXAMPLE_REQUEST["envelope"]), REAL)
    assert prepared.payload_commitment == RECEIPT["payload_commitment"]
    assert prepared.content_hash == RECEIPT["content_hash"]


def test_a_derived_salt_is_that_of_the_adapters() -> None:
    key, envelope_id = b"k" * 32, "019a4f00-0000-7000-8000-000000000000"
    mac = hmac.new(key, bytes.fromhex(envelope_id.replace("-", "")), hashlib.sha256).hexdigest()
    assert derived_salt(key, envelope_id) == mac[:32]
    with pytest.raises(InvalidRequestError):
        derived_salt(b"short", envelope_id)


def test_times_have_a_zone_and_are_written_in_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    assert time_text(datetime.datetime(2026, 11, 22, 1, 2, 3, 4, zone)) == "2026-11-21T23:02:03.000004Z"
    with pytest.raises(InvalidRequestError):
        time_text(datetime.datetime(2026, 11, 22))
    assert bare(claimed_time=time_text(datetime.datetime.now(datetime.UTC)))


def test_a_payload_beyond_the_format_is_not_sent() -> None:
    scene = stage()
    with pytest.raises(InvalidRequestError, match="bytes"):
        scene.client().record(example_draft().model_copy(update={"payload": {"a": "x" * (4 << 20)}}))
    assert not scene.requests


def test_a_draft_that_was_changed_past_its_checks_is_not_sent() -> None:
    scene = stage()
    for update in (
        {"payload": {"a": float("nan")}},
        {"payload": {"a": b""}},
        {"trace_id": "\ud800"},
        {"event_type": " "},
    ):
        with pytest.raises(InvalidRequestError):
            scene.client().record(example_draft().model_copy(update=update))
    changed = example_draft()
    changed.payload["a"] = float("inf")
    with pytest.raises(InvalidRequestError):
        scene.client().record(changed)
    assert not scene.requests


def test_attachments_and_batches_have_their_bounds() -> None:
    client = stage().client()
    with pytest.raises(InvalidRequestError):
        client.record_with_attachments(bare(), [])
    with pytest.raises(InvalidRequestError):
        client.record_with_attachments(bare(), [Attachment("text/plain", b"x" * ((16 << 20) + 1))])
    with pytest.raises(InvalidRequestError):
        client.record_with_attachments(bare(), [Attachment("not a type", b"x")])
    for count in (0, 1001):
        with pytest.raises(InvalidRequestError):
            client.record_batch([bare()] * count)


def test_names_that_cannot_be_asked_for_are_refused_before_anything_is_sent() -> None:
    client = stage().client()
    for call in (
        lambda: client.checkpoint(tenant_id=" "),
        lambda: client.prove_inclusion("not an id"),
        lambda: client.prove_consistency(-1),
        lambda: client.query(limit=0),
        lambda: client.list_segments(limit=10_001),
    ):
        with pytest.raises(InvalidRequestError):
            call()
