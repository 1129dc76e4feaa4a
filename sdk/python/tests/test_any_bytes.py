"""No bytes make the verifier raise anything, and what is made up of any bytes is never valid."""

import io
import tracemalloc

import pytest
from bundles import judged
from forge import archive_of, parts_of_archive
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutants import relisted
from paths import BUNDLES

from recorder_client.verify import json_text, verify_source
from recorder_client.verify.code import CODES
from recorder_client.verify.document import Document
from recorder_client.verify.envelope import LineError, read_line
from recorder_client.verify.finding import Findings, in_line, in_part
from recorder_client.verify.identities import Identities, rounds_for
from recorder_client.verify.limit import Limits

HONEST = parts_of_archive((BUNDLES / "valid/two-segments.recorder.zip").read_bytes())
SLOW = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@SLOW
@given(st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"{", b'{"parts":{']), st.binary(max_size=200))
def test_any_bytes_are_invalid(beginning: bytes, rest: bytes) -> None:
    report = judged(beginning + rest, None, ())
    assert report is not None
    assert report.verdict == "invalid"


@SLOW
@given(st.sampled_from(sorted(HONEST)), st.binary(max_size=200))
def test_any_bytes_in_a_part_are_no_error(name: str, data: bytes) -> None:
    parts = {**HONEST, name: data}
    assert judged(archive_of(parts if name == "manifest.json" else relisted(parts)), None, ()) is not None


@SLOW
@given(values)
def test_canonical_text_reads_back_and_is_its_own(value: json_text.Value) -> None:
    text = json_text.canonical_text(value).encode()
    again = json_text.parse(text, json_text.Limits(1 << 20), canonical=True)
    assert json_text.canonical_text(again).encode() == text


@SLOW
@given(st.text(max_size=60))
def test_what_is_read_as_canonical_is_canonical(text: str) -> None:
    try:
        value = json_text.parse(text.encode(errors="replace"), json_text.Limits(1 << 20), canonical=True)
    except json_text.RefusedError:
        return
    assert json_text.canonical_text(value) == text


@SLOW
@given(st.binary(max_size=60))
def test_any_short_line_is_refused_by_a_code(data: bytes) -> None:
    with pytest.raises(LineError) as refused:
        read_line(data)
    assert refused.value.code in CODES


def test_a_deep_document_is_refused_and_does_not_exhaust_the_stack() -> None:
    deep = b'{"parts":{"a.json":' + b"[" * 200_000
    report = judged(deep, None, ())
    assert report is not None
    assert [str(one.code.name) for one in report.findings.listed] == ["document_invalid"]
    assert Document(b'{"parts":{},"type":"recorder.bundle-document/v1"}', 1 << 20).names() == []


def test_memory_does_not_grow_with_an_attachment() -> None:
    name = "attachments/sha256/" + "0" * 64
    data = archive_of(relisted({**HONEST, name: b"x" * (48 << 20)}))
    source = io.BytesIO(data)
    tracemalloc.start()
    verify_source(source, len(data))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_rounds_over_ids_find_what_one_round_finds() -> None:
    line = HONEST["segments/000000/envelopes-000000.jsonl"].splitlines()[0]
    envelope = read_line(line)
    found = []
    for rounds in (1, 7):
        findings = Findings()
        for number in range(rounds):
            identities = Identities(number, rounds, [envelope.envelope_id], findings)
            for place in (1, 2):
                identities.add(envelope, in_line("part", place))
            identities.finish()
        found.append([(one.code.name, one.place) for one in findings.listed])
    assert found[0] == found[1]
    assert rounds_for(100_000_000, Limits()) <= Limits().id_rounds_max


def test_only_the_first_thousand_findings_are_listed_in_order() -> None:
    findings = Findings()
    for number in reversed(range(1500)):
        findings.add("part_hash_mismatch", in_part(f"{number:06}"))
    assert [str(one.place) for one in findings.listed] == [f"{number:06}" for number in range(1000)]
    assert findings.total == 1500
