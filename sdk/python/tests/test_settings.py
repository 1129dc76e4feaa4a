"""Evidence and token go where the program said, or nowhere."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from scripted import Stage, example_draft, problem, recorded, stage

from recorder_client import AsyncRecorderClient, InvalidRequestError, RecorderClient, RequestRefusedError, Tls
from recorder_client.settings import TokenError


@pytest.mark.parametrize("kind", [RecorderClient, AsyncRecorderClient])
@pytest.mark.parametrize(
    "url",
    [
        "http://recorder.example:8787",
        "http://169.254.169.254",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://user:password@127.0.0.1:8787",
        "http://127.0.0.1:8787/prefix",
        "http://127.0.0.1:8787/?a=b",
        "http://127.0.0.1:8787/#a",
        "ftp://127.0.0.1",
        "127.0.0.1:8787",
        "http://",
        "",
        "http://[::1",
    ],
)
def test_a_url_that_leads_astray_is_refused(kind: type[RecorderClient], url: str) -> None:
    with pytest.raises(InvalidRequestError):
        kind(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8787",
        "http://127.9.9.9/",
        "http://[::1]:8787",
        "http://localhost:1",
        "https://recorder.example",
    ],
)
def test_loopback_and_https_are_taken(url: str) -> None:
    RecorderClient(url).close()


def test_plain_http_to_another_machine_needs_to_be_said() -> None:
    RecorderClient("http://recorder.example:8787", allow_plain_http=True).close()
    RecorderClient("http://recorder", unix_socket="/run/recorder.sock").close()


@pytest.mark.parametrize(
    "options",
    [
        {"timeout_seconds": 0.0},
        {"timeout_seconds": float("inf")},
        {"tenant_id": ""},
        {"tenant_id": " a"},
        {"recorder_id": "a\u200b"},
        {"token": "two words"},
        {"token": "line\r\nx-other: 1"},
        {"token": ""},
        {"token": "a", "token_file": "b"},
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        RecorderClient(**options)


def test_tls_files_that_are_none_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for tls in (Tls(ca_file=tmp_path / "missing"), Tls(ca_file=text), Tls(certificate_file=text)):
        with pytest.raises(InvalidRequestError):
            RecorderClient("https://127.0.0.1", tls=tls)


def test_the_environment_sends_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    scene = stage(recorded())
    scene.client(token=None).record(example_draft())
    assert "authorization" not in scene.requests[0].headers
    client = RecorderClient("http://127.0.0.1:9")
    pool = vars(vars(client)["_transport"])["_pool"]
    assert "Proxy" not in type(pool).__name__


def token_file(directory: Path, text: str, mode: int = 0o600) -> Path:
    path = directory / "token"
    path.touch(0o600)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_token_file_is_read_before_each_attempt(tmp_path: Path) -> None:
    path = token_file(tmp_path, "first\n")
    scene = Stage([problem("queue_full"), recorded()])
    client = scene.client(token=None, token_file=path)

    def sleep(_seconds: float) -> None:
        path.write_text("second")

    client = scene.client(token=None, token_file=path, surroundings=_with_sleep(scene, sleep))
    client.record(example_draft())
    assert [request.headers["authorization"] for request in scene.requests] == ["Bearer first", "Bearer second"]


def _with_sleep(scene: Stage, sleep: Any) -> Any:
    import dataclasses  # noqa: PLC0415

    return dataclasses.replace(scene.surroundings(), sleep=sleep)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("token", 0o640),
        ("token", 0o604),
        ("two words", 0o600),
        ("", 0o600),
        ("a\nb", 0o600),
        ("x" * 5000, 0o600),
        ("é", 0o600),
    ],
)
def test_a_token_file_that_others_read_or_that_holds_no_token_is_refused(tmp_path: Path, text: str, mode: int) -> None:
    scene = stage(recorded())
    with pytest.raises(TokenError) as caught:
        scene.client(token=None, token_file=token_file(tmp_path, text, mode)).record(example_draft())
    assert not scene.requests
    assert not text or text not in str(caught.value).replace(str(tmp_path / "token"), "")


def test_a_token_file_is_a_regular_file_and_no_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(token_file(tmp_path, "token"))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (link, pipe, tmp_path, tmp_path / "missing"):
        with pytest.raises(TokenError):
            stage(recorded()).client(token=None, token_file=path).record(example_draft())
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_refused_token_is_the_callers_to_mend() -> None:
    scene = stage(problem("unauthorized"))
    with pytest.raises(RequestRefusedError, match="unauthorized"):
        scene.client().record(example_draft())


def test_a_client_is_for_one_process() -> None:
    client = stage().client()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            client.record(example_draft())
        except InvalidRequestError:
            code = 7
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 7
