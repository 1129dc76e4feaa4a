"""Every Python example of the pages and the README runs, one after the other, against a real sidecar."""

import re
from pathlib import Path

import pytest
from paths import ROOT
from sidecar import TOKEN, TRUST_ROOT, Place, Sidecar, running

from recorder_client import Draft

PAGE = ROOT / "docs/sdk/python.md"
VERIFIER = ROOT / "docs/sdk/python-verifier.md"
README = ROOT / "sdk/python/README.md"
SETTINGS = 'recorder.recorder_id = "sidecar:local"\notel.key_path = "otel-key"\n'
SIDECAR = "http://127.0.0.1:8787"


def examples(page: Path) -> list[tuple[int, str]]:
    """Each Python block, with the line that it begins in."""
    text = page.read_text("utf-8")
    return [
        (text.count("\n", 0, found.start()) + 2, found.group(1))
        for found in re.finditer(r"```python\n(.*?)```", text, re.DOTALL)
    ]


@pytest.mark.parametrize("page", [PAGE, VERIFIER, README])
def test_the_examples_of_a_page_run_as_they_stand(
    page: Path, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json  # noqa: PLC0415

    place.secret("recorder-token", TOKEN + "\n")
    place.secret("salt-key", "k" * 32)
    place.secret("otel-key", "0f" * 32)
    (tmp_path / "trust-root.json").write_text(json.dumps(TRUST_ROOT), "utf-8")
    _certificates(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = examples(page)
    assert found
    with running(place, SETTINGS) as sidecar:
        if page == VERIFIER:
            _bundle(sidecar)
        for line, code in found:
            # Only the port differs: the tests' sidecar takes a free one.
            here = code.replace(SIDECAR, sidecar.url).replace(
                "RecorderClient(token", f'RecorderClient("{sidecar.url}", token'
            )
            exec(compile("\n" * (line - 1) + here, page.name, "exec"), {"__name__": "__main__"})  # noqa: S102


def _bundle(sidecar: Sidecar) -> None:
    """What the verifier's page takes for granted, in the current directory."""
    with sidecar.client(recorder_id="sidecar:local") as client:
        client.record(Draft(event_type="tool.call", actor_id="agent", environment_id="test", payload={}))
        client.save_bundle("all.recorder.zip")
        Path("checkpoint.txt").write_text(client.checkpoint().note, "utf-8")


def _certificates(directory: Path) -> None:
    from authority import Authority  # noqa: PLC0415

    authority = Authority(directory, "ca")
    certificate, key = authority.issue("client")
    assert (authority.path.name, certificate.name, key.name) == ("ca.pem", "client.pem", "client-key.pem")


def test_the_page_names_every_method_every_option_and_every_error() -> None:
    from recorder_client import RecorderClient, errors  # noqa: PLC0415
    from recorder_client.base import ClientOptions  # noqa: PLC0415

    text = PAGE.read_text("utf-8")
    methods = [name for name in vars(RecorderClient) if not name.startswith("_")]
    options = [name for name in ClientOptions.__annotations__ if name != "surroundings"]
    kinds = [name for name in vars(errors) if name.endswith("Error") and name != "ProblemError"]
    for name in [*methods, *options, *kinds]:
        assert re.search(rf"\b{name}\b", text), name
