"""What the tests share: a sidecar for those that change nothing of it, and places for sidecars of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sidecar import PROGRAM, Place, Sidecar, running


@pytest.fixture(scope="session")
def shared_sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    if PROGRAM is None:
        pytest.skip("RECORDER_SIDECAR_BIN names no program")
    with running(Place(tmp_path_factory.mktemp("sidecar"))) as sidecar:
        yield sidecar


@pytest.fixture
def place(tmp_path: Path) -> Place:
    if PROGRAM is None:
        pytest.skip("RECORDER_SIDECAR_BIN names no program")
    return Place(tmp_path)
