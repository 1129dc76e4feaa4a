"""The bundles of the corpus, with what is expected of each."""

import io
import json
from dataclasses import dataclass
from typing import Any

from paths import BUNDLES

from recorder_client.verify import LimitError, Report, verify_source
from recorder_client.verify.checkpoint import read_checkpoint
from recorder_client.verify.trust_root import TrustRoot, read_trust_root


@dataclass(frozen=True)
class Expected:
    """A bundle of the corpus."""

    name: str
    data: bytes
    trust_root: str | None
    known_heads: tuple[str, ...]
    outcome: dict[str, Any]


def corpus() -> list[Expected]:
    """All bundles, those that verify first."""
    return [_read(path.stem.removesuffix(".expected"), folder) for folder, path in _expectations()]


def _expectations() -> list[tuple[str, Any]]:
    folders = ("valid", "must-reject")
    return [(folder, path) for folder in folders for path in sorted((BUNDLES / folder).glob("*.expected.json"))]


def _read(name: str, folder: str) -> Expected:
    outcome = json.loads((BUNDLES / folder / f"{name}.expected.json").read_text("utf-8"))
    archive = BUNDLES / folder / f"{name}.recorder.zip"
    data = (archive if archive.exists() else archive.with_name(f"{name}.recorder.json")).read_bytes()
    root = outcome["trust_root"] and (BUNDLES / outcome["trust_root"]).read_text("utf-8")
    heads = (outcome["known_head"],) if outcome["known_head"] else ()
    return Expected(f"{folder}/{name}", data, root, heads, outcome)


def trust_root_of(text: str | None) -> TrustRoot | None:
    return None if text is None else read_trust_root(text.encode())


def judged(data: bytes, trust_root: str | None, known_heads: tuple[str, ...]) -> Report | None:
    """The report; none where the bundle asks for more than a limit."""
    heads = tuple(read_checkpoint(head.encode()) for head in known_heads)
    try:
        return verify_source(io.BytesIO(data), len(data), trust_root_of(trust_root), heads)
    except LimitError:
        return None
