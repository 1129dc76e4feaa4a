"""The verifier stands alone: nothing of the client, and nothing that only the client needs, is behind it."""

import ast
import subprocess
import sys

import pytest
from paths import ROOT

PACKAGE = ROOT / "sdk/python/src/recorder_client"

# Finds nothing of what only the client needs, as where it is not installed.
BLIND = """
import sys
class Blind:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"anyio", "httpcore2", "httpx2", "pydantic", "pydantic_core"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blind())
"""


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_verifier_works_where_only_cryptography_is_installed() -> None:
    bundle = ROOT / "docs/spec/vectors/bundles/valid/signed-without-trust-root.recorder.zip"
    code = (
        f"import recorder_client.verify as v, recorder_client.verify.__main__; print(v.verify({str(bundle)!r}).verdict)"
    )
    done = run(BLIND + code)
    assert (done.returncode, done.stdout) == (0, "valid_with_warnings\n"), done.stderr


def test_without_its_dependencies_the_client_is_not_there() -> None:
    done = run(BLIND + "import recorder_client; recorder_client.RecorderClient")
    assert "ModuleNotFoundError" in done.stderr


def test_the_verifier_brings_no_module_of_the_client_along() -> None:
    code = (
        "import sys, recorder_client.verify.__main__;"
        "names = [n for n in sys.modules if n.startswith('recorder_client.')];"
        "print([n for n in names if not n.startswith('recorder_client.verify')])"
    )
    assert run(code).stdout == "[]\n"


def imported(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_no_line_of_the_verifier_names_the_client() -> None:
    files = sorted((PACKAGE / "verify").glob("**/*.py"))
    assert len(files) > 30
    for path in files:
        for name in imported(path.read_text("utf-8")):
            inside = name.startswith("recorder_client.verify") or not name.startswith("recorder_client")
            assert inside, f"{path.name} imports {name}"
            assert name.partition(".")[0] in {*sys.stdlib_module_names, "cryptography", "recorder_client"}, path.name


def test_every_name_of_the_package_can_be_loaded() -> None:
    import recorder_client  # noqa: PLC0415

    for name in dir(recorder_client):
        assert getattr(recorder_client, name, self) is not self
    with pytest.raises(AttributeError):
        recorder_client.nothing_of_this_name  # noqa: B018


self = object()
