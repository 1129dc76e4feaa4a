"""An answer that the contract does not allow is a violation, whatever it says, and is not asked for again."""

import dataclasses
import json
from typing import Any

import httpx2
import pytest
from scripted import EXAMPLES, RECEIPT, Answer, answer, example_draft, failing, problem, recorded, replayed, stage

from recorder_client import (
    ContractViolationError,
    RecorderError,
    RequestRefusedError,
    RetryPolicy,
    ServiceUnavailableError,
)
from recorder_client.drafts import prepare

OTHER_ID = "019a4f00-0000-7000-8000-00000000ffff"
BATCH = EXAMPLES["exchanges"]["record_batch"]


def refused(given: Answer, call: str = "record") -> ContractViolationError:
    """The violation that this answer is."""
    scene = stage(given)
    client = scene.client()
    with pytest.raises(ContractViolationError) as caught:
        client.record(example_draft()) if call == "record" else getattr(client, call)()
    assert len(scene.requests) == 1, "a violation is not repeated"
    return caught.value


def test_a_faithful_answer_is_believed() -> None:
    assert stage(recorded()).client().record(example_draft()).receipt.position == 0
    assert stage(replayed()).client().record(example_draft()).replayed


@pytest.mark.parametrize(
    "given",
    [
        recorded(content_type="text/html"),
        recorded(content_type=""),
        recorded(content_type="application/json; charset=utf-8"),
        recorded(x_server_correlation_id=""),
        recorded(x_server_correlation_id="two words"),
        recorded(x_correlation_id="another"),
        recorded(x_correlation_id=""),
        recorded(content_encoding="gzip"),
        recorded(idempotency_replayed="true"),
        answer(200, RECEIPT),
        answer(200, RECEIPT, idempotency_replayed="false"),
        answer(202, RECEIPT),
        answer(204, b""),
        answer(301, b"", location="http://127.0.0.1:1/"),
        answer(307, b"", location="/elsewhere"),
        answer(201, b"<html>"),
        answer(201, b""),
        answer(201, json.dumps(RECEIPT).encode()[:-1]),
        answer(201, json.dumps(RECEIPT).encode() + b"{}"),
        answer(201, json.dumps(RECEIPT)[:-1].encode() + b', "position": 1}'),
        answer(201, [RECEIPT]),
        answer(201, RECEIPT | {"more": 1}),
        answer(201, RECEIPT | {"position": True}),
        answer(201, RECEIPT | {"position": "0"}),
        answer(201, RECEIPT | {"position": -1}),
        answer(201, RECEIPT | {"durability": "somehow"}),
        answer(201, RECEIPT | {"chain_hash": RECEIPT["chain_hash"].upper()}),
        answer(201, {name: value for name, value in RECEIPT.items() if name != "chain_hash"}),
    ],
)
def test_an_answer_of_another_form_is_a_violation(given: Answer) -> None:
    refused(given)


@pytest.mark.parametrize("name", ["envelope_id", "payload_commitment", "content_hash"])
def test_a_receipt_is_for_what_was_sent(name: str) -> None:
    other = RECEIPT[name][:-1] + ("0" if RECEIPT[name][-1] != "0" else "1")
    assert name in str(refused(answer(201, RECEIPT | {name: other})))


def test_a_salt_that_was_made_up_is_not_held_against_the_first_receipt_of_an_id_of_ones_own() -> None:
    others = dataclasses.replace(stage().surroundings(), random_bytes=bytes)
    unsalted = example_draft().model_copy(update={"payload_salt": None})
    assert stage(replayed()).client(surroundings=others).record(unsalted).replayed
    for given in (recorded(), answer(200, RECEIPT | {"envelope_id": OTHER_ID}, idempotency_replayed="true")):
        with pytest.raises(ContractViolationError):
            stage(given).client(surroundings=others).record(unsalted)
    # An id that was made up here was never recorded before.
    fresh = unsalted.model_copy(update={"envelope_id": None})
    made_up = RECEIPT | {"envelope_id": prepare(fresh, others).envelope_id}
    with pytest.raises(ContractViolationError, match="payload_commitment"):
        stage(answer(200, made_up, idempotency_replayed="true")).client(surroundings=others).record(fresh)


def problem_with(code: str, /, **members: Any) -> Answer:
    body = EXAMPLES["problems"][code] | {"server_correlation_id": "server-1"} | members
    return answer(EXAMPLES["problems"][code]["status"], body)


@pytest.mark.parametrize(
    "given",
    [
        problem_with("envelope_invalid", code="unheard_of"),
        problem_with("envelope_invalid", code="filter_invalid", type="urn:recorder:problem:filter_invalid"),
        problem_with("envelope_invalid", status=409),
        problem_with("envelope_invalid", retryable=True),
        problem_with("envelope_invalid", type="urn:recorder:problem:bad_request"),
        problem_with("envelope_invalid", server_correlation_id="another"),
        problem_with("envelope_invalid", more=1),
        answer(409, EXAMPLES["problems"]["envelope_invalid"] | {"server_correlation_id": "server-1"}),
        problem("envelope_invalid", content_type="application/json"),
        problem("envelope_invalid", x_server_correlation_id=""),
        problem("envelope_invalid", x_correlation_id="another"),
        problem("queue_full", retry_after=""),
        problem("queue_full", retry_after="soon"),
        problem("queue_full", retry_after="-1"),
        problem("queue_full", retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
        answer(502, b"<html>Bad gateway</html>", content_type="text/html"),
        answer(500, b"x" * (65 << 10)),
    ],
)
def test_a_refusal_of_another_form_is_a_violation(given: Answer) -> None:
    refused(given)


def test_a_code_that_the_operation_does_not_have_is_a_violation() -> None:
    assert "no problem" in str(refused(problem("envelope_conflict"), "checkpoint"))


def test_a_violation_leaves_open_whether_something_was_recorded() -> None:
    known = refused(recorded(content_type="text/html")).circumstances
    assert known is not None
    assert known.outcome_unknown
    assert known.idempotency_key is not None
    assert known.server_correlation_id == "server-1"


def test_an_answer_beyond_its_bound_is_not_read() -> None:
    scene = stage(answer(200, b'{"a":"' + b"x" * 5000 + b'"}'))
    with pytest.raises(ContractViolationError, match="more than 4096 bytes"):
        scene.client(answer_bytes_max=4096).config()


@pytest.mark.parametrize(
    "answered",
    [
        {"receipts": BATCH["answers"]["201"]["receipts"][:-1]},
        {"receipts": BATCH["answers"]["201"]["receipts"] * 2},
        {"receipts": []},
    ],
)
def test_a_batch_has_one_receipt_for_each_draft(answered: dict[str, Any]) -> None:
    from recorder_client import Draft  # noqa: PLC0415

    drafts = [Draft(**one) for one in BATCH["request"]["envelopes"]]
    assert stage(answer(201, BATCH["answers"]["201"])).client().record_batch(drafts).receipts
    with pytest.raises(ContractViolationError):
        stage(answer(201, answered)).client().record_batch(drafts)


def test_answers_are_about_what_was_asked() -> None:
    checkpoint = EXAMPLES["exchanges"]["checkpoint"]["answers"]["200"]
    inclusion = EXAMPLES["exchanges"]["prove_inclusion"]["answers"]["200"]
    consistency = EXAMPLES["exchanges"]["prove_consistency"]["answers"]["200"]
    segments = EXAMPLES["exchanges"]["list_segments"]["answers"]["200"]
    for call in (
        lambda: stage(answer(200, checkpoint | {"tenant_id": "other"})).client().checkpoint(),
        lambda: stage(answer(200, inclusion)).client().prove_inclusion(OTHER_ID),
        lambda: stage(answer(200, inclusion)).client().prove_inclusion(inclusion["envelope_id"], tree_size=10**9),
        lambda: stage(answer(200, consistency)).client().prove_consistency(consistency["old_size"] + 1),
        lambda: stage(answer(200, segments)).client().list_segments(tenant_id="other"),
    ):
        with pytest.raises(ContractViolationError):
            call()


def test_pages_are_no_longer_than_asked_for_and_go_on() -> None:
    page = EXAMPLES["exchanges"]["query_envelopes"]["answers"]["200"]
    long = page | {"envelopes": page["envelopes"] * 3}
    with pytest.raises(ContractViolationError, match="longer"):
        stage(answer(200, long)).client().query(limit=2)
    circle = page | {"next_cursor": "c"}
    with pytest.raises(ContractViolationError, match="continues"):
        list(stage(answer(200, circle), answer(200, circle)).client().each_envelope())


def test_a_probe_that_contradicts_its_status_is_a_violation() -> None:
    for status, word in ((200, "unavailable"), (503, "ok")):
        with pytest.raises(ContractViolationError):
            stage(answer(status, {"status": word}, content_type="application/json")).client().ready()
    unready = {"status": "unavailable", "reasons": ["writer_latched"], "durability": "fsync"}
    found = stage(answer(503, unready, content_type="application/json")).client().ready()
    assert found.reasons == ("writer_latched",)


def test_errors_say_whose_fault_it_is_and_hold_no_payload() -> None:
    for code, kind in (
        ("envelope_invalid", RequestRefusedError),
        ("unauthorized", RequestRefusedError),
        ("too_many_streams", ServiceUnavailableError),
        ("internal_error", ServiceUnavailableError),
        ("writer_latched", ServiceUnavailableError),
    ):
        with pytest.raises(kind) as caught:
            stage(problem(code)).client().record(example_draft())
        assert code in str(caught.value)
        assert "server-1" in str(caught.value)


def test_tokens_and_payloads_are_in_no_representation_and_no_message() -> None:
    client = stage(failing(httpx2.ReadError("cut"))).client(token="s3cret", retry=RetryPolicy(attempts_max=1))
    assert "s3cret" not in repr(client) + repr(vars(client))
    with pytest.raises(RecorderError) as caught:
        client.record(example_draft().model_copy(update={"payload": {"pin": "123456"}}))
    assert "s3cret" not in repr(caught.value) + str(caught.value)
    assert "123456" not in repr(caught.value) + str(caught.value)
