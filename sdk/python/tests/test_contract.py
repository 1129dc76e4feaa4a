"""The client is what the published contract says: its generated modules, its methods, what it believes."""

import functools
import inspect
from typing import Any

import controls
import generate
import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from paths import ROOT
from pydantic import TypeAdapter, ValidationError
from scripted import EXAMPLES, METHODS, TYPES, answer, problem, stage

from recorder_client import AsyncRecorderClient, ProblemError, RecorderClient, RecorderError, models
from recorder_client.contract import OPERATIONS, PROBLEMS, ProblemCode
from recorder_client.model_base import Closed

HELPERS = {"action", "close", "each_envelope", "each_segment", "import_drafts", "recorded", "save_bundle"}


def public(kind: type) -> dict[str, Any]:
    return {name: value for name, value in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def test_the_generated_modules_are_those_of_the_contract() -> None:
    for name, text in generate.generated().items():
        assert (generate.PACKAGE / name).read_text("utf-8") == text, f"run tools/generate.py: {name}"


def test_a_keyword_that_the_models_cannot_say_stops_the_generator() -> None:
    for schema in (
        {"type": "string", "format": "uri"},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {}},
        {"type": "array", "items": {"type": "number"}},
        {"type": "string", "pattern": "a"},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {},
            "if": {"properties": {"a": {}}},
            "then": {"properties": {"b": {}}},
            "else": {},
        },
    ):
        with pytest.raises(generate.UnknownSchemaError):
            generate.models_text({"types": {"odd": schema}, "enums": {}})


@pytest.mark.parametrize("client", [RecorderClient, AsyncRecorderClient])
def test_each_operation_is_a_method_of_its_name_and_there_are_no_others(client: type) -> None:
    named = {method["client_method"] for method in METHODS["methods"].values()} - {None}
    assert set(public(client)) == named | HELPERS


def test_both_clients_take_the_same_arguments() -> None:
    waiting, awaiting = public(RecorderClient), public(AsyncRecorderClient)
    for name, method in waiting.items():
        theirs = inspect.signature(awaiting[name])
        assert list(inspect.signature(method).parameters.values())[2:] == list(theirs.parameters.values())[2:], name


def test_operations_and_problems_are_those_of_the_contract() -> None:
    assert set(OPERATIONS) == set(METHODS["methods"])
    assert {str(code): (facts.status, facts.retryable, facts.title) for code, facts in PROBLEMS.items()} == {
        code: (facts["status"], facts["retryable"], facts["title"]) for code, facts in METHODS["problems"].items()
    }


def exchanged() -> list[tuple[str, dict[str, Any]]]:
    """Every example of a body, with the name of its type."""
    found = []
    for name, exchange in EXAMPLES["exchanges"].items():
        method = METHODS["methods"][name]
        if method["request_type"]:
            found.append((method["request_type"], exchange["request"]))
        found += [
            (method["answers"][status]["type"], body)
            for status, body in exchange["answers"].items()
            if method["answers"][status]["type"]
        ]
    found = [(name, body) for name, body in found if name != "otlp_request"]
    return found + [("problem", body) for body in EXAMPLES["problems"].values()]


def model(name: str) -> type[Closed]:
    found: type[Closed] = getattr(models, generate.pascal(name))
    assert issubclass(found, Closed)
    return found


@pytest.mark.parametrize(("name", "body"), exchanged())
def test_each_example_is_taken_and_written_as_it_was(name: str, body: dict[str, Any]) -> None:
    assert model(name).model_validate(body).as_json() == body


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": TYPES["types"]})


def is_valid(name: str, body: Any) -> bool:
    return validator(name).is_valid(body)


def is_taken(name: str, body: Any) -> bool:
    try:
        model(name).model_validate(body)
    except (ValidationError, RecorderError):
        return False
    return True


BEYOND = 2**70
OF_DRAFTS = {"record_request", "attachments_request", "batch_request"}
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    BEYOND,
    "",
    "x",
    "ok",
    "fsync",
    [],
    ["x"],
    {},
    {"x": 1},
    " a",
    "a\u200b",
    "é",
]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] + [place for key, item in inner for place in places(item, (*at, key))]


def changed(value: Any, at: tuple[Any, ...], change: str, odd: Any) -> Any:
    if not at:
        if change == "add" and isinstance(value, dict):
            return value | {"unknown": odd}
        if change == "repeat" and isinstance(value, list):
            return value + value
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    if change == "remove" and len(at) == 1:
        del copy[at[0]]
    else:
        copy[at[0]] = changed(value[at[0]], at[1:], change, odd)
    return copy


@settings(max_examples=800, deadline=None)
@given(data=st.data())
def test_models_take_what_the_schemas_take_and_nothing_else(data: st.DataObject) -> None:
    name, body = data.draw(st.sampled_from(exchanged()))
    at = data.draw(st.sampled_from(places(body)))
    odd = data.draw(st.sampled_from(ODD))
    other = changed(body, at, data.draw(st.sampled_from(["replace", "remove", "add", "repeat"])), odd)
    # What a producer sends is held to more than its schema: no integer that a reader may round.
    assume(not (odd == BEYOND and "payload" in at and name in OF_DRAFTS))
    assert is_taken(name, other) == is_valid(name, other), (name, at, other)


def test_words_and_constants_are_compared_by_their_type() -> None:
    assert not is_taken(
        "draft", EXAMPLES["exchanges"]["record_envelope"]["request"]["envelope"] | {"schema_version": True}
    )
    with pytest.raises(ValidationError):
        TypeAdapter(models.SchemaVersion).validate_python(True)


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_each_problem_of_an_operation_becomes_its_error(code: str) -> None:
    for name, facts in OPERATIONS.items():
        if name != "checkpoint" or code not in facts.codes:
            continue
        client = stage([problem(code)] * 8).client()
        with pytest.raises(ProblemError) as caught:
            client.checkpoint()
        assert caught.value.code == code
        assert (caught.value.status, caught.value.retryable) == (
            PROBLEMS[ProblemCode(code)].status,
            PROBLEMS[ProblemCode(code)].retryable,
        )


def test_content_types_of_answers_are_exact() -> None:
    body = EXAMPLES["exchanges"]["health"]["answers"]["200"]
    for given_type in ("application/json; charset=utf-8", "text/json", "application/problem+json", "text/html"):
        with pytest.raises(RecorderError, match="media type"):
            stage(answer(200, body, content_type=given_type)).client().health()


@pytest.mark.parametrize("control", controls.CONTROLS, ids=lambda control: control.name)
def test_each_control_stands_where_the_list_says(control: controls.Control) -> None:
    text = (controls.PACKAGE / control.file).read_text("utf-8")
    assert text.count(control.take) == 1
    assert (ROOT / "sdk/python/tests" / control.test).is_file()
