"""What JSON cannot carry as it is never leaves, and the error says where it stands."""

import datetime
import decimal
import json
import math
from enum import Enum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder_client import Draft, UnrepresentableError
from recorder_client.json_value import NotJsonError, read, snapshot, text_of

REPRESENTABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"a": [1, {"b": math.nan}]}, "payload.a[1].b"),
        ({"a": -math.inf}, "payload.a"),
        ({"a": 2**53 + 1}, "payload.a"),
        ({"a": -(2**53) - 1}, "payload.a"),
        ({"a": {1: "x"}}, "payload.a"),
        ({None: "x"}, "payload"),
        ({"a": b"bytes"}, "payload.a"),
        ({"a": "\ud800"}, "payload.a"),
        ({"\udfff": 1}, "payload.<key>"),
        ({"a": [[], [{"k": {1, 2}}]]}, "payload.a[1][0].k"),
        ({"a": datetime.datetime.now(datetime.UTC)}, "payload.a"),
        ({"a": decimal.Decimal("1.5")}, "payload.a"),
        ([], "payload"),
        (None, "payload"),
    ],
)
def test_what_json_cannot_carry_is_refused_with_its_place(payload: Any, path: str) -> None:
    with pytest.raises(UnrepresentableError) as caught:
        Draft(event_type="a", actor_id="a", environment_id="e", payload=payload)
    assert caught.value.path == path


def test_refusals_do_not_repeat_the_value() -> None:
    with pytest.raises(UnrepresentableError) as caught:
        snapshot({"a": b"secret"})
    assert "secret" not in str(caught.value)


def test_depth_and_number_of_values_are_those_of_the_format() -> None:
    def nested(depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for _ in range(depth - 1):
            value = {"a": value}
        return value

    assert snapshot(nested(64))
    with pytest.raises(UnrepresentableError, match="deeper"):
        snapshot(nested(65))
    assert snapshot({"a": [0] * 99_998})
    with pytest.raises(UnrepresentableError, match="values"):
        snapshot({"a": [0] * 99_999})


def test_a_value_that_holds_itself_is_refused_for_its_depth() -> None:
    value: dict[str, Any] = {}
    value["again"] = value
    with pytest.raises(UnrepresentableError, match="deeper"):
        snapshot(value)


def test_a_change_after_the_draft_was_made_changes_no_evidence() -> None:
    payload: dict[str, Any] = {"list": [1]}
    draft = Draft(event_type="a", actor_id="a", environment_id="e", payload=payload)
    payload["list"].append(2)
    payload["more"] = True
    assert draft.payload == {"list": [1]}


class Colour(StrEnum):
    RED = "red"


class Size(str, Enum):  # noqa: UP042 - which prints its name
    LARGE = "large"


class Odd(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


@given(REPRESENTABLE)
def test_whatever_is_taken_is_read_back_equal_by_any_reader(value: Any) -> None:
    text = text_of(snapshot({"v": value}))
    assert json.loads(text, parse_int=float) == {"v": value}
    assert read(text.encode()) == {"v": value}


def test_subtypes_become_what_they_are_in_json() -> None:
    odd = snapshot({"colour": Colour.RED, "odd": Odd("what it is"), "size": Size.LARGE, "tuple": (1, 2)})
    assert text_of(odd) == '{"colour":"red","odd":"what it is","size":"large","tuple":[1,2]}'


@pytest.mark.parametrize(
    "data",
    [b'{"a":1,"a":1}', b"NaN", b"[Infinity]", b"\xff", b"{", b"", b"\xef\xbb\xbf{}", b"[" * 100_000, b"1" * 5000],
)
def test_answers_that_are_read_in_two_ways_are_not_read(data: bytes) -> None:
    with pytest.raises(NotJsonError):
        read(data)
