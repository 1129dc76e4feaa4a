"""Both clients against a real sidecar: over TCP, TLS and a Unix socket, while it dies, while it is busy."""

import asyncio
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from authority import Authority
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import ROOT
from scripted import EXAMPLES
from sidecar import PATIENCE_SECONDS, RECORDER, TOKEN, TRUST_ROOT, Place, Sidecar, running
from test_json_value import REPRESENTABLE
from wire import forward, serving

from recorder_client import (
    AsyncRecorderClient,
    Attachment,
    ContractViolationError,
    Draft,
    Filter,
    InvalidRequestError,
    RecorderClient,
    RequestRefusedError,
    RetryPolicy,
    Tls,
    TransportError,
    derived_salt,
    new_id,
    repeatable,
    selection,
)
from recorder_client.verify import verify


def draft(text: str = "", **members: Any) -> Draft:
    return Draft(
        **(
            {"event_type": "tool.call", "actor_id": "agent", "environment_id": "test", "payload": {"text": text}}
            | members
        )
    )


def test_every_operation_of_the_waiting_client_works(shared_sidecar: Sidecar, tmp_path: Path) -> None:
    tenant = "every-operation"
    with shared_sidecar.client(tenant_id=tenant) as client:
        first = client.record(draft("one", trace_id="trace-1"))
        assert not first.replayed
        files = [Attachment("text/plain", b"policy"), Attachment("application/octet-stream", bytes(256))]
        second = client.record_with_attachments(draft("two", parent_ids=[first.receipt.envelope_id]), files)
        batch = client.record_batch([draft(str(n)) for n in range(10)])
        assert [one.position for one in batch.receipts] == list(range(2, 12))
        assert client.query(limit=5).next_cursor is not None
        assert [one.position for one in client.each_envelope(page_size=5)] == list(range(12))
        found = list(client.each_envelope(Filter(trace_ids=["trace-1"])))
        assert [one.payload for one in found] == [{"text": "one"}]
        assert [one.tenant_id for one in client.each_segment(tenant_id=tenant)] == [tenant]
        assert client.list_active_segments(tenant_id=tenant).segments[0].envelope_count == 12
        # A checkpoint is signed before a bundle is built.
        bundle = client.build_bundle()
        checkpoint = client.checkpoint()
        assert (checkpoint.tenant_id, checkpoint.recorder_id, checkpoint.tree_size) == (tenant, RECORDER, 12)
        proof = client.prove_inclusion(second.receipt.envelope_id)
        assert proof.chain_hash == second.receipt.chain_hash
        assert client.prove_consistency(1, new_size=proof.tree_size).new_root_hash == proof.root_hash
        assert client.verify_bundle(bundle.data).answers.integrity == "intact"
        assert client.inspect_bundle(bundle.data).envelope_count == 12
        saved = client.save_bundle(tmp_path / "all.zip", selection.trace("trace-1"))
        assert client.inspect_bundle(saved.path).envelope_count == 1
        assert client.verify_bundle(saved.path).answers.integrity == "intact"
        assert (client.health().status, client.startup().status, client.ready().status) == ("ok", "ok", "ok")
        assert client.config()["recorder"]["recorder_id"] == RECORDER
        assert "recorder_requests_total" in client.metrics()


def test_every_operation_of_the_awaiting_client_works(shared_sidecar: Sidecar, tmp_path: Path) -> None:
    tenant = "every-operation-async"

    async def run() -> None:
        async with shared_sidecar.async_client(tenant_id=tenant) as client:
            first = await client.record(draft("one", trace_id="trace-1"))
            second = await client.record_with_attachments(draft("two"), [Attachment("text/plain", b"policy")])
            assert len((await client.record_batch([draft(str(n)) for n in range(10)])).receipts) == 10
            assert (await client.query(limit=5)).next_cursor is not None
            assert [one.position async for one in client.each_envelope(page_size=5)] == list(range(12))
            assert [one.tenant_id async for one in client.each_segment(tenant_id=tenant)] == [tenant]
            assert (await client.list_segments(tenant_id=tenant)).segments
            assert (await client.list_active_segments(tenant_id=tenant)).segments
            bundle = await client.build_bundle()
            assert (await client.checkpoint()).tree_size == 12
            proof = await client.prove_inclusion(second.receipt.envelope_id)
            assert (await client.prove_consistency(1, new_size=proof.tree_size)).path
            assert (await client.verify_bundle(bundle.data)).answers.integrity == "intact"
            assert (await client.inspect_bundle(bundle.data)).envelope_count == 12
            saved = await client.save_bundle(tmp_path / "all.zip", selection.envelopes(first.receipt.envelope_id))
            assert (await client.inspect_bundle(saved.path)).envelope_count == 1
            assert (await client.health()).status == (await client.startup()).status == (await client.ready()).status
            assert (await client.config())["recorder"]["recorder_id"] == RECORDER
            assert "recorder_requests_total" in await client.metrics()

    asyncio.run(run())


def test_a_bundle_that_was_fetched_here_is_verified_here(shared_sidecar: Sidecar, tmp_path: Path) -> None:
    with shared_sidecar.client(tenant_id="bundles") as client:
        client.record_batch([draft(str(n)) for n in range(7)])
        document = tmp_path / "all.json"
        document.write_bytes(client.build_bundle().data)
        saved = client.save_bundle(tmp_path / "all.zip")
        root = tmp_path / "trust-root.json"
        root.write_text(json.dumps(TRUST_ROOT), "utf-8")
        checkpoint = tmp_path / "checkpoint.txt"
        checkpoint.write_text(client.checkpoint().note, "utf-8")
    for path in (document, saved.path):
        report = verify(path, trust_root=root, known_heads=[checkpoint])
        assert (report.verdict, report.answers.integrity) == ("valid", "intact")
        assert (report.answers.authenticity, report.exit_code()) == ("proven", 0)


def test_the_same_draft_is_recorded_once_and_another_under_its_id_never(shared_sidecar: Sidecar) -> None:
    whole = repeatable(draft("once"))
    with shared_sidecar.client(tenant_id="replays") as client:
        first, again = client.record(whole), client.record(whole)
        assert (first.replayed, again.replayed) == (False, True)
        assert first.receipt == again.receipt
        assert client.record(whole, idempotency_key="another-key").receipt == first.receipt
        other = whole.model_copy(update={"payload": {"text": "other"}})
        with pytest.raises(RequestRefusedError) as caught:
            client.record(other)
        assert caught.value.code == "envelope_conflict"
        with pytest.raises(RequestRefusedError) as caught:
            client.record(draft("third"), idempotency_key="another-key")
        assert caught.value.code == "idempotency_conflict"
        unsalted = whole.model_copy(update={"payload_salt": None})
        assert client.record(unsalted).receipt == first.receipt
        assert client.record_batch([unsalted, draft("beside")]).receipts[0] == first.receipt
        assert len(list(client.each_envelope())) == 2


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    payload=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=10), REPRESENTABLE, max_size=5)
)
def test_whatever_is_representable_arrives_as_it_was_sent(shared_sidecar: Sidecar, payload: dict[str, Any]) -> None:
    # Both sides compute the commitment and the content hash; a receipt for other text would be a violation.
    with shared_sidecar.client(tenant_id="any-payload") as client:
        receipt = client.record(draft(payload=payload)).receipt
        page = client.query(Filter(envelope_ids=[receipt.envelope_id]))
    assert page.envelopes[0].payload == payload


def test_an_answer_that_is_lost_is_asked_for_again_and_nothing_is_recorded_twice(shared_sidecar: Sidecar) -> None:
    cut, whole = forward(shared_sidecar.address, and_answer=False), forward(shared_sidecar.address, and_answer=True)
    with serving(cut, cut, whole) as wire, shared_sidecar.client(base_url=wire.url, tenant_id="lost") as client:
        assert client.record(draft("one")).replayed
    with serving(cut, whole) as wire, shared_sidecar.client(base_url=wire.url, tenant_id="lost") as client:
        assert client.record_batch([draft("two"), draft("three")]).replayed

    async def run(url: str) -> None:
        async with shared_sidecar.async_client(base_url=url, tenant_id="lost") as client:
            assert (await client.record(draft("four"))).replayed

    with serving(cut, whole) as wire:
        asyncio.run(run(wire.url))
    with shared_sidecar.client(tenant_id="lost") as client:
        assert len(list(client.each_envelope())) == 4


def test_a_sidecar_that_is_killed_under_load_has_each_envelope_once_when_it_is_back(place: Place) -> None:
    receipts: dict[int, Any] = {}
    port = Counter[str]()
    with running(place) as first:
        address = first.address.rpartition(":")[2]
        port["port"] = int(address)
        policy = RetryPolicy(attempts_max=10_000, pause_max_seconds=0.05, deadline_seconds=PATIENCE_SECONDS)
        enough = threading.Barrier(5)

        def work(worker: int) -> None:
            with first.client(retry=policy) as client:
                for number in range(worker, 200, 4):
                    receipts[number] = client.record(draft(str(number))).receipt
                    if number // 4 == 10:
                        enough.wait(PATIENCE_SECONDS)

        with ThreadPoolExecutor(4) as pool:
            working = [pool.submit(work, worker) for worker in range(4)]
            enough.wait(PATIENCE_SECONDS)
            first.kill()
            with running(place, f"transport.tcp.port = {address}\n") as second:
                for one in working:
                    one.result()
                with second.client() as client:
                    texts = [(one.payload or {})["text"] for one in client.each_envelope()]
                    held = {one.envelope_id: one.position for one in client.each_envelope()}
    assert sorted(texts, key=int) == [str(number) for number in range(200)]
    assert {one.envelope_id: one.position for one in receipts.values()} == held


def test_a_sidecar_without_room_is_asked_again_until_everything_is_recorded(place: Place) -> None:
    with running(place, "limits.max_in_flight = 1\nlimits.max_queued_requests = 0\n") as busy:
        policy = RetryPolicy(
            attempts_max=1000, pause_max_seconds=0.02, retry_after_max_seconds=0.01, deadline_seconds=PATIENCE_SECONDS
        )
        with busy.client(retry=policy) as client, ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: client.record(draft(str(n))), range(200)))
            metrics = client.metrics()
            assert len(list(client.each_envelope())) == 200
        assert 'code="queue_full"' in metrics


def test_a_sidecar_that_cannot_write_now_is_asked_again(place: Place) -> None:
    with running(place) as sidecar:
        hidden = place.root / "hidden.db"
        with sidecar.client() as client:
            client.record(draft("before"))
        (place.root / "recorder.db").rename(hidden)
        pauses: list[float] = []

        def mend(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                hidden.rename(place.root / "recorder.db")

        from recorder_client.surroundings import Surroundings  # noqa: PLC0415

        with sidecar.client(surroundings=Surroundings(sleep=mend)) as client:
            assert client.record(draft("after")).receipt.position == 1
        assert len(pauses) >= 2


def test_a_refusal_names_its_code_and_the_request_in_the_log(shared_sidecar: Sidecar) -> None:
    with shared_sidecar.client(token="not-the-token") as client, pytest.raises(RequestRefusedError) as caught:
        client.record(draft())
    assert caught.value.code == "unauthorized"
    assert caught.value.circumstances is not None
    assert caught.value.circumstances.server_correlation_id
    with shared_sidecar.client(recorder_id="sidecar:other") as client, pytest.raises(RequestRefusedError) as caught:
        client.record(draft())
    assert caught.value.code == "stream_mismatch"
    with shared_sidecar.client(tenant_id="nobody") as client:
        for call in (client.checkpoint, client.build_bundle, lambda: client.prove_inclusion(new_id())):
            with pytest.raises(RequestRefusedError) as caught:
                call()
            assert caught.value.code == "not_found"
    with shared_sidecar.client() as client, pytest.raises(RequestRefusedError) as caught:
        client.query(cursor="no cursor")
    assert caught.value.code == "filter_invalid"
    with shared_sidecar.client() as client, pytest.raises(RequestRefusedError) as caught:
        client.record(draft(event_type="system.adapter.key_rotated"))
    assert caught.value.code == "envelope_invalid"


def test_a_unix_socket_and_a_sidecar_without_tokens(place: Place) -> None:
    more = f'transport.mode = "unix"\ntransport.unix.path = "{place.root}/s"\nsecurity.mode = "open"\n'
    with running(place, more) as sidecar:
        assert sidecar.listening["unix"]
        with RecorderClient(unix_socket=place.root / "s", recorder_id=RECORDER) as client:
            assert client.record(draft()).receipt.position == 0

        async def run() -> None:
            async with AsyncRecorderClient(unix_socket=place.root / "s", recorder_id=RECORDER) as client:
                assert (await client.record(draft())).receipt.position == 1

        asyncio.run(run())


def test_tls_is_spoken_to_whom_the_authority_vouches_for_and_to_nobody_else(place: Place) -> None:
    ours, others = Authority(place.root, "ours"), Authority(place.root, "others")
    certificate, key = ours.issue("server")
    tls = f'transport.tcp.tls.cert_path = "{certificate}"\ntransport.tcp.tls.key_path = "{key}"\n'
    with running(place, tls) as sidecar:
        url = f"https://{sidecar.address}"
        with sidecar.client(base_url=url, tls=Tls(ca_file=ours.path)) as client:
            assert client.record(draft()).receipt.position == 0
        for stranger in (Tls(ca_file=others.path), Tls()):
            with sidecar.client(base_url=url, tls=stranger) as client, pytest.raises(TransportError) as caught:
                client.record(draft())
            assert caught.value.circumstances is not None
            assert caught.value.circumstances.attempts == 1, "a stranger is a stranger at the second look"
        with (
            sidecar.client(base_url=sidecar.url, retry=RetryPolicy(attempts_max=2)) as client,
            pytest.raises(TransportError),
        ):
            client.record(draft())


def test_a_client_shows_its_certificate_where_one_is_asked_for(place: Place) -> None:
    ours, others = Authority(place.root, "ours"), Authority(place.root, "others")
    certificate, key = ours.issue("server")
    tls = f'transport.tcp.tls = {{ cert_path = "{certificate}", key_path = "{key}", client_ca_path = "{ours.path}" }}\n'
    own, own_key = ours.issue("client", password="of the key")
    stranger, stranger_key = others.issue("stranger")
    with running(place, tls) as sidecar:
        url = f"https://{sidecar.address}"
        shown = Tls(ca_file=ours.path, certificate_file=own, key_file=own_key, key_password="of the key")
        assert "of the key" not in repr(shown)
        with sidecar.client(base_url=url, tls=shown) as client:
            assert client.record(draft()).receipt.position == 0

        async def run() -> None:
            async with sidecar.async_client(base_url=url, tls=shown) as client:
                assert (await client.record(draft())).receipt.position == 1

        asyncio.run(run())
        for refused in (
            Tls(ca_file=ours.path),
            Tls(ca_file=ours.path, certificate_file=stranger, key_file=stranger_key),
        ):
            with sidecar.client(base_url=url, tls=refused, retry=RetryPolicy(attempts_max=2)) as client:
                with pytest.raises(TransportError):
                    client.record(draft())


def test_a_token_that_was_replaced_is_read_again(place: Place, tmp_path: Path) -> None:
    own = place.secret("client-token", TOKEN)
    with running(place) as sidecar, sidecar.client(token=None, token_file=own) as client:
        client.record(draft())
        place.secret("token", "another-token")
        sidecar.hang_up()
        sidecar.wait_for("reloaded")
        own.write_text("another-token\n")
        assert client.record(draft()).receipt.position == 1


def test_an_import_gives_each_draft_its_result_and_an_import_again_records_nothing(shared_sidecar: Sidecar) -> None:
    def source(count: int) -> list[Draft]:
        made = []
        for number in range(count):
            envelope_id = f"019a4f00-0000-7000-8000-{number:012x}"
            salt = derived_salt(b"s" * 32, envelope_id)
            made.append(
                draft(str(number), envelope_id=envelope_id, payload_salt=salt, claimed_time="2026-11-22T00:00:00Z")
            )
        return made

    with shared_sidecar.client(tenant_id="imports") as client:
        first = list(client.import_drafts(source(300)))
        assert [(one.index, one.error) for one in first] == [(number, None) for number in range(300)]
        bad = source(1300)
        bad[700] = bad[700].model_copy(update={"event_type": "system.adapter.key_rotated"})
        bad[900] = bad[5].model_copy(update={"payload": {"text": "other"}})
        again = list(client.import_drafts(bad))
        assert [one.index for one in again] == list(range(1300))
        assert {one.index: one.error.code for one in again if isinstance(one.error, RequestRefusedError)} == {
            700: "envelope_invalid",
            900: "envelope_conflict",
        }
        assert [one.receipt for one in again[:300]] == [one.receipt for one in first]
        assert len(list(client.each_envelope())) == 1298


def test_an_awaiting_import_takes_drafts_as_fast_as_they_are_acknowledged(shared_sidecar: Sidecar) -> None:
    async def run() -> None:
        taken = 0

        async def source() -> Any:
            nonlocal taken
            for number in range(50):
                taken += 1
                yield draft(str(number))

        from recorder_client import BatchBounds  # noqa: PLC0415

        async with shared_sidecar.async_client(tenant_id="imports-async") as client:
            done = 0
            async for result in client.import_drafts(source(), bounds=BatchBounds(envelopes_max=10)):
                assert result.receipt is not None
                done += 1
                assert taken - done <= 10
            assert done == 50

    asyncio.run(run())


def test_a_service_that_stops_in_an_import_is_said_with_its_place(place: Place) -> None:
    from recorder_client import BatchBounds  # noqa: PLC0415

    with running(place) as sidecar, sidecar.client(retry=RetryPolicy(attempts_max=1)) as client:
        results = client.import_drafts((draft(str(n)) for n in range(30)), bounds=BatchBounds(envelopes_max=10))
        assert [next(results).index for _ in range(10)] == list(range(10))
        sidecar.kill()
        with pytest.raises(TransportError) as caught:
            list(results)
        assert caught.value.__notes__ == ["the import stopped at draft 10"]


def test_opentelemetry_is_recorded_once_and_whole_or_not_at_all(place: Place) -> None:
    place.secret("otel-key", "0f" * 32)
    document = EXAMPLES["exchanges"]["ingest_otel"]["request"]
    with running(place, 'otel.key_path = "otel-key"\n') as sidecar:
        with sidecar.client() as client:
            first = client.ingest_otel(document)
            assert (first.replayed, first.replayed_count, len(first.receipts)) == (False, 0, 1)
            again = client.ingest_otel(json.dumps(document).encode())
            assert (again.replayed, again.replayed_count) == (True, 1)
            assert again.receipts == first.receipts
            with pytest.raises(RequestRefusedError):
                client.ingest_otel({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "none"}]}]}]})
            for odd in ({"a": float("nan")}, {"a": b""}, {"a": "\ud800"}):
                with pytest.raises(InvalidRequestError):
                    client.ingest_otel(odd)
            assert client.openapi() == json.loads(
                (ROOT / "docs/generated/apis/sidecar.openapi.json").read_text("utf-8")
            )

        async def run() -> None:
            async with sidecar.async_client() as client:
                assert (await client.ingest_otel(document)).replayed
                assert (await client.openapi())["openapi"] == "3.1.0"

        asyncio.run(run())


def test_cancelling_a_task_leaves_the_client_usable(shared_sidecar: Sidecar) -> None:
    async def run() -> None:
        async with shared_sidecar.async_client(tenant_id="cancelled") as client:
            tasks = [asyncio.create_task(client.record(draft(str(n)))) for n in range(20)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            recorded = [one for one in tasks if not one.cancelled()]
            positions = {(await one).receipt.position for one in recorded}
            assert len(positions) == len(recorded) == 10
            assert (await client.record(draft("last"))).receipt

    asyncio.run(run())


def test_violations_of_a_wrong_address_are_named(shared_sidecar: Sidecar) -> None:
    host, _, port = shared_sidecar.address.rpartition(":")
    body = json.dumps({"a": 1}).encode()

    def elsewhere(connection: Any, request: bytes) -> None:
        other = request.replace(b"POST /v1/envelopes ", b"POST /v2/envelopes ")
        forward(f"{host}:{port}", and_answer=True)(connection, other)

    assert body
    with serving(elsewhere) as wire, shared_sidecar.client(base_url=wire.url) as client:
        with pytest.raises(ContractViolationError, match="not_found"):
            client.record(draft())
