"""The examples in the documentation do what they say."""

import re
import shutil
from pathlib import Path

import pytest
from paths import BUNDLES, ROOT

from recorder_client.verify.__main__ import main
from recorder_client.verify.checkpoint import read_checkpoint

PAGE = (ROOT / "docs/sdk/python-verifier.md").read_text("utf-8")


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the examples name, in the working directory."""
    from forge import parts_of_archive  # noqa: PLC0415

    signed = BUNDLES / "valid/signed.recorder.zip"
    shutil.copy(signed, tmp_path / "all.recorder.zip")
    shutil.copy(BUNDLES / "trust-roots/recorder.json", tmp_path / "trust-root.json")
    checkpoint = parts_of_archive(signed.read_bytes())["checkpoint"]
    assert read_checkpoint(checkpoint).tree_size > 0
    (tmp_path / "checkpoint.txt").write_bytes(checkpoint)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("story")
def test_the_program_of_the_page_prints_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(program, "python-verifier.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.splitlines()[:2] == ["valid 0", "authenticity proven"]


@pytest.mark.usefixtures("story")
def test_the_commands_of_the_pages_verify(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (ROOT / "sdk/python/README.md").read_text("utf-8")
    commands = re.findall(r"^python -m recorder_client\.verify (.*)$", PAGE + readme, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert main(command.split()) == 0
        assert capsys.readouterr().out.startswith("VALID\n")
