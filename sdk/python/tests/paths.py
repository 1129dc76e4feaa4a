"""Where the specification lies, and its files."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/spec/evidence-format.md"
VECTORS = ROOT / "docs/spec/vectors"
BUNDLES = VECTORS / "bundles"


def vectors(name: str) -> Any:
    """A file of vectors."""
    return json.loads((VECTORS / name).read_text("utf-8"))
