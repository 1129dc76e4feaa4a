"""Takes out each place that notes a finding, and sees the corpus or one of the bundles made here turn red."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bundles import corpus, judged
from forge import Bundle, archive_of, parts_of_archive
from mutants import relisted
from paths import BUNDLES

import recorder_client.verify
from recorder_client.verify.code import CODES
from recorder_client.verify.finding import Finding, Findings, Place

SOURCES = Path(recorder_client.verify.__file__).parent
Site = tuple[str, int]


def sites() -> set[Site]:
    """Every place that notes a finding, by file and line."""
    return {(path.name, line) for path in SOURCES.glob("*.py") for line in _lines(ast.parse(path.read_text("utf-8")))}


def _lines(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add"
        if is_call and isinstance(node, ast.Call) and len(node.args) == 3 and "findings" in ast.unparse(node.func):
            yield node.lineno


class Recorder:
    """Stands in for `Findings.add`: tells from where it is called, and leaves out one place."""

    def __init__(self) -> None:
        self.left_out: Site | None = None
        self.seen: set[Site] = set()
        self._add = Findings.add

    def add(self, findings: Findings, code: str, place: Place, detail: str = "") -> None:
        frame = sys._getframe(2)
        site = (Path(frame.f_code.co_filename).name, frame.f_lineno)
        self.seen.add(site)
        if site != self.left_out:
            self._add(findings, code, place, detail)


def others() -> list[tuple[bytes, str | None, tuple[str, ...]]]:
    """Manipulations that the corpus has none of, for places that nothing else reaches."""
    honest = parts_of_archive((BUNDLES / "valid/two-segments.recorder.zip").read_bytes())
    damaged = archive_of(honest, lambda name: name == "manifest.json")
    at = damaged.index(b"manifest.json") + 13
    long_line = {**honest, "segments/000000/envelopes-000000.jsonl": b"x" * ((8 << 20) + 1)}
    return [
        (damaged[:at] + b"\xff" + damaged[at + 1 :], None, ()),
        (_relisted(long_line), None, ()),
        *((_relisted(parts), None, ()) for parts in _relistings(honest)),
        *((archive_of(bundle.parts()), None, ()) for bundle in _edited(honest)),
    ]


def _edited(honest: dict[str, bytes]) -> Iterator[Bundle]:
    """What a manifest and geneses can say that no bundle of the corpus says."""
    bundle = Bundle.read(honest)
    bundle.manifest["envelope_count"] = 0
    yield bundle
    bundle = Bundle.read(honest)
    entry = {"content_hash": "0" * 64, "content_type": "a/b", "size_bytes": (16 << 20) + 1, "withheld": True}
    bundle.manifest["attachments"] = [entry]
    yield bundle
    bundle = Bundle.read(honest)
    bundle.manifest["segments"][1]["envelope_count"] = 0
    yield bundle
    bundle = Bundle.read(honest)
    bundle.segments[0][0]["segment_id"] = bundle.segments[1][0]["segment_id"]
    yield bundle
    bundle = Bundle.read(honest)
    bundle.segments[1][0].update(segment_index=9, predecessor=bundle.segments[1][0]["predecessor"])
    yield bundle


def _relistings(honest: dict[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Segments without parts, and a segment that no number of envelopes is stated of."""
    yield {name: data for name, data in honest.items() if "envelopes-" not in name}
    yield {name: data for name, data in honest.items() if not name.startswith("segments/000001")}


def _relisted(parts: dict[str, bytes]) -> bytes:
    return archive_of(relisted(parts))


def outcome(case: tuple[bytes, str | None, tuple[str, ...]]) -> list[str] | None:
    report = judged(*case)
    return None if report is None else list(map(_told, report.findings.listed))


def differs(case: tuple[bytes, str | None, tuple[str, ...]], expected: list[str] | None) -> bool:
    """Whether a bundle comes out otherwise; what a missing control lets through may end in an error."""
    try:
        return outcome(case) != expected
    except (KeyError, ValueError, IndexError):
        return True


def _told(finding: Finding) -> str:
    return f"{finding.code.name} at {finding.place}"


def test_no_place_that_notes_a_finding_can_be_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr(Findings, "add", lambda *given: recorder.add(*given))
    cases = [(one.data, one.trust_root, one.known_heads) for one in corpus()] + others()
    reached: dict[Site, list[int]] = {}
    expected = []
    for index, case in enumerate(cases):
        recorder.seen = set()
        expected.append(outcome(case))
        for site in recorder.seen:
            reached.setdefault(site, []).append(index)
    assert sites() - set(reached) == set(), "no bundle reaches these places"
    for site, indices in reached.items():
        recorder.left_out = site
        assert any(differs(cases[index], expected[index]) for index in indices), site


def test_every_code_comes_out_of_some_bundle() -> None:
    found = {finding["code"] for one in corpus() for finding in one.outcome["findings"]}
    # Heads that are kept are out of this verifier's scope; no bundle of the corpus is as large as a line may be.
    assert set(CODES) - found == {"kept_head_ahead", "line_too_long"}
