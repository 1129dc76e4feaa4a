"""Takes each clause out of each condition that decides, and sees a bundle come out otherwise."""

import ast
import importlib
import io
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bundles import corpus
from test_controls import others

PACKAGE = "recorder_client.verify"
SOURCES = Path(importlib.import_module(PACKAGE).__file__ or "").parent

# Those that compare what a bundle says; how bytes, texts and curves are read is tested by vectors.
DECIDING = (
    "attachments", "chain", "keyring", "layout", "log_proof", "manifest", "proof", "rotation", "segment", "segments",
    "signatures", "succession", "tree", "verifier",
)  # fmt: skip

REDUNDANT = (
    # For the types: whatever comes here has one.
    "rotation.py: self.proof_old is not None",
    "segments.py: before.genesis is not None",
    "segments.py: end is not None",
    "segments.py: segment.genesis is not None",
    "signatures.py: genesis is not None",
    "succession.py: first is None",
    "succession.py: public_key is not None",
    "succession.py: seal is None",
    "succession.py: seal.signature is None",
    "succession.py: start.before_seal is not None",
    "succession.py: start.before_seal.signature is not None",
    "verifier.py: before is not None",
    "verifier.py: before.genesis is not None",
    "verifier.py: end is None",
    "verifier.py: last is None",
    "verifier.py: limits",
    "verifier.py: line.data is None",
    "verifier.py: rotation is not None",
    "verifier.py: segment.genesis is not None",
    # Values instead of none.
    "layout.py: '0'",
    "segment.py: 0",
    "tree.py: 0",
    "tree.py: self.last_position",
    # The pattern of names has six digits; parts come in the order of their names, each after its segment's genesis.
    "layout.py: f'{segment:06}' != found.group(1)",
    "layout.py: found.group(3) and f'{part:06}' != found.group(3)",
    "layout.py: kind == 2",
    "layout.py: segment != len(layout.segments)",
    "layout.py: segment >= segment_count",
    # A seal that is stated and missing is told where seals are read.
    "segments.py: segment.listed.seal_hash is None",
    # Only a break-glass rotation follows a seal by the new key; nothing follows from one whose genesis cannot be read.
    "signatures.py: after.is_break_glass",
    "succession.py: start.genesis is None",
    "verifier.py: adjoins",
    "verifier.py: segment.index == 0",
    # A second lock: whatever is not tied, not looked through or not vouched for has a finding too.
    "tree.py: self.is_tied",
    "tree.py: self.runs == 1",
    "tree.py: self.runs > 0",
    "verifier.py: is_looked_through",
    "verifier.py: self.counts.envelopes > 0",
    "verifier.py: self.tree.is_tied",
    "verifier.py: signatures.all_vouched()",
)

Site = tuple[str, int, int]


class Clauses(ast.NodeTransformer):
    """Puts a call around each clause of each `and` and `or`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.found: dict[Site, str] = {}

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.BoolOp:
        texts = [ast.unparse(clause) for clause in node.values]
        self.generic_visit(node)
        neutral = isinstance(node.op, ast.And)
        clauses = []
        for clause, text in zip(node.values, texts, strict=True):
            site = (self._name, clause.lineno, clause.col_offset)
            self.found[site] = text
            given: list[ast.expr] = [ast.Constant(site), ast.Constant(neutral), clause]  # type: ignore[arg-type]
            call = ast.Call(ast.Name("clause_of", ast.Load()), given, [])
            clauses.append(ast.fix_missing_locations(ast.copy_location(call, clause)))
        node.values = list[ast.expr](clauses)
        return node


class Switchboard:
    """Stands between each clause and its condition: tells where it decides, and leaves one out."""

    def __init__(self) -> None:
        self.left_out: Site | None = None
        self.decided: set[Site] = set()
        self.clauses: dict[Site, str] = {}

    def clause_of(self, site: Site, neutral: bool, value: Any) -> Any:  # noqa: FBT001
        if bool(value) is not neutral:
            self.decided.add(site)
        return neutral if site == self.left_out else value


class Loader(SourceLoader):
    """Loads a module with its clauses on a switchboard."""

    def __init__(self, path: Path, board: Switchboard) -> None:
        self._path, self._board = path, board

    def get_filename(self, fullname: str) -> str:
        return str(self._path)

    def get_data(self, path: Any) -> bytes:
        return Path(path).read_bytes()

    def exec_module(self, module: ModuleType) -> None:
        clauses = Clauses(self._path.name)
        tree = clauses.visit(ast.parse(self._path.read_text("utf-8")))
        self._board.clauses |= clauses.found
        module.__dict__["clause_of"] = self._board.clause_of
        exec(compile(tree, str(self._path), "exec"), module.__dict__)  # noqa: S102


class Finder(MetaPathFinder):
    """Finds the modules that decide."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        if package != PACKAGE or name not in DECIDING:
            return None
        file = SOURCES / f"{name}.py"
        return spec_from_file_location(fullname, file, loader=Loader(file, self._board))


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[Switchboard]:
    """A switchboard, and the verifier loaded anew with its clauses on it."""
    board = Switchboard()
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Finder(board), *sys.meta_path])
    importlib.import_module(PACKAGE)
    yield board
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]


def outcome(data: bytes, trust_root: str | None, known_heads: tuple[str, ...]) -> Any:
    """Answers and findings by the verifier that is loaded now; an error of any kind is an outcome too."""
    verifier, checkpoint, roots = (
        importlib.import_module(name) for name in (PACKAGE, f"{PACKAGE}.checkpoint", f"{PACKAGE}.trust_root")
    )
    heads = tuple(checkpoint.read_checkpoint(head.encode()) for head in known_heads)
    root = None if trust_root is None else roots.read_trust_root(trust_root.encode())
    try:
        report = verifier.verify_source(io.BytesIO(data), len(data), root, heads)
    except Exception as error:
        return repr(error)
    return report.answers, [f"{finding.code.name} at {finding.place}" for finding in report.findings.listed]


def test_no_clause_of_a_condition_can_be_taken_out(board: Switchboard) -> None:
    cases = [(one.data, one.trust_root, one.known_heads) for one in corpus()] + others()
    decided: dict[Site, list[int]] = {}
    expected = []
    for index, case in enumerate(cases):
        board.decided = set()
        expected.append(outcome(*case))
        for site in board.decided:
            decided.setdefault(site, []).append(index)
    unseen = []
    for site, text in board.clauses.items():
        board.left_out = site
        if all(outcome(*cases[index]) == expected[index] for index in decided.get(site, [])):
            unseen.append(f"{site[0]}: {text}")
    assert sorted(unseen) == sorted(REDUNDANT)
