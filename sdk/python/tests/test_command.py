"""The command: its exit codes, its two shapes, and files that it does not take."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import BUNDLES

SIGNED = BUNDLES / "valid/signed.recorder.zip"
OPEN = BUNDLES / "valid/open-end.recorder.zip"
TRUST_ROOT = ("--trust-root", str(BUNDLES / "trust-roots/recorder.json"))


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "recorder_client.verify", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def answer(*arguments: str) -> dict[str, Any]:
    done = run("--json", *arguments)
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.stderr == ""
    assert done.returncode == found.get("exit_code", found.get("error", {}).get("exit_code"))
    return found


def test_a_bundle_that_verifies_is_valid_and_everything_is_satisfied() -> None:
    found = answer(str(SIGNED), *TRUST_ROOT)
    assert found["verdict"] == "valid"
    assert found["satisfied"] is True
    assert found["required"] == ["integrity", "authenticity"]
    assert found["exit_code"] == 0
    assert found["findings"] == []
    assert found["subject"]["form"] == "archive"
    assert len(found["phases"]) == 7


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        ((str(SIGNED),), 4),
        ((str(SIGNED), "--require", "integrity"), 0),
        ((str(SIGNED), *TRUST_ROOT, "--require", "end"), 0),
        ((str(OPEN), *TRUST_ROOT), 0),
        ((str(OPEN), *TRUST_ROOT, "--require", "end"), 4),
        ((str(SIGNED), *TRUST_ROOT, "--require", "time"), 4),
        ((str(BUNDLES / "must-reject/tail-cut.recorder.zip"), *TRUST_ROOT, "--require", "integrity"), 3),
        ((str(BUNDLES / "must-reject/billion-envelopes-claimed.recorder.zip"), *TRUST_ROOT), 1),
        ((str(BUNDLES / "none.recorder.zip"),), 1),
        ((str(SIGNED), "--trust-root", str(SIGNED)), 2),
        ((str(SIGNED), "--known-head", str(BUNDLES / "trust-roots/recorder.json")), 2),
        ((str(SIGNED), "--require", "luck"), 2),
        ((), 2),
    ],
)
def test_the_exit_code_says_what_came_of_it(arguments: tuple[str, ...], exit_code: int) -> None:
    assert run(*arguments).returncode == exit_code
    assert answer(*arguments) is not None


def test_what_a_bundle_says_cannot_steer_a_terminal() -> None:
    shown = run(str(BUNDLES / "valid/unicode-identifiers.recorder.zip")).stdout
    assert shown.isascii()
    assert "VALID, WITH WARNINGS" in shown
    assert "INVALID" in run(str(BUNDLES / "must-reject/tail-cut.recorder.zip")).stdout


def test_a_reader_that_stops_reading_is_no_error() -> None:
    command = [sys.executable, "-m", "recorder_client.verify", str(SIGNED), *TRUST_ROOT]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait() == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_the_transcript_is_written_once_and_names_its_inputs(tmp_path: Path) -> None:
    output = tmp_path / "transcript.json"
    arguments = (str(SIGNED), *TRUST_ROOT, "--verdict-transcript-output", str(output))
    assert run(*arguments).returncode == 0
    transcript = json.loads(output.read_text("utf-8"))
    assert transcript["type"] == "recorder.verification-transcript/v1"
    assert run(*arguments).returncode == 5


@pytest.mark.skipif("RECORDER_BIN" not in os.environ, reason="RECORDER_BIN names no program")
@pytest.mark.parametrize(
    "name",
    [
        "valid/open-end.recorder.zip",
        "valid/partial-with-gaps.recorder.zip",
        "valid/document-with-attachments.recorder.json",
        "must-reject/tail-cut.recorder.zip",
        "must-reject/rotation-by-stolen-key.recorder.zip",
        "must-reject/members-exchanged.recorder.zip",
    ],
)
@pytest.mark.parametrize("arguments", [(), TRUST_ROOT])
def test_the_answer_is_that_of_the_recorder(name: str, arguments: tuple[str, ...]) -> None:
    command = [os.environ["RECORDER_BIN"], "bundle", "verify", "--json", "--no-keep-heads", str(BUNDLES / name)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RECORDER_")}
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env=environment)
    theirs, ours = json.loads(done.stdout), answer(str(BUNDLES / name), *arguments)
    assert done.returncode == ours["exit_code"]
    for finding in [*theirs["findings"], *ours["findings"]]:
        assert finding.pop("detail")
    assert ours == theirs
