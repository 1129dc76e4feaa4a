"""The log of a bundle (format §15, last phase): the root of all leaves, or paths from the ends of runs to the root.

Deliberately absent: which leaf is right. The chain says that; the log says that it is there.
"""

from collections import deque

from recorder_client.verify import merkle
from recorder_client.verify.finding import BUNDLE, Findings, at_position, in_line
from recorder_client.verify.layout import PROOFS
from recorder_client.verify.proof import InclusionPath


class Paths:
    """The inclusion paths of a bundle, taken in their order; one that the next end leaves behind is not needed."""

    def __init__(self, findings: Findings) -> None:
        """None yet."""
        self._findings = findings
        self._left: deque[tuple[int, InclusionPath]] = deque()
        self.used = 0

    def add(self, line: int, path: InclusionPath) -> None:
        """A path on a line of proofs."""
        self._left.append((line, path))

    def take(self, position: int) -> InclusionPath | None:
        """The path of a position; a finding where there is none."""
        while self._left and self._left[0][1].position < position:
            self._leave()
        if self._left and self._left[0][1].position == position:
            self.used += 1
            return self._left.popleft()[1]
        self._findings.add("inclusion_missing", at_position(position), "no inclusion path for this end of a run")
        return None

    def finish(self) -> None:
        """After the last run."""
        while self._left:
            self._leave()

    def _leave(self) -> None:
        line, _ = self._left.popleft()
        self._findings.add("inclusion_unneeded", in_line(PROOFS, line), "no run begins or ends there")


class Tree:
    """The entries of the log that the bundle holds, in the order in which they stand."""

    def __init__(self, tree_size: int, root: bytes, wanted_sizes: set[int], paths: Paths, findings: Findings) -> None:
        """Of a manifest's size and root; roots at the wanted sizes are kept where all leaves below are there."""
        self._tree_size, self._root = tree_size, root
        self._paths = paths
        self._findings = findings
        self._log: merkle.Log | None = merkle.Log()
        self._wanted = wanted_sizes
        self._roots = {0: merkle.EMPTY_ROOT}
        self._run: tuple[tuple[int, bytes], tuple[int, bytes]] | None = None
        self.runs = 0
        self.is_whole = False
        self.is_recomputed = False
        self.is_tied = True
        self.last_position: int | None = None

    def lose(self) -> None:
        """A line could not be read: a run ends here, and the leaves are not all there."""
        self.break_off()
        self._log = None

    def break_off(self) -> None:
        """The rest of a part could not be had: no run goes on after it."""
        self._close()

    def add(self, position: int, chain_hash: bytes) -> None:
        """The next envelope."""
        if self._run is not None and position != self._run[1][0] + 1:
            self._close()
        here = (position, chain_hash)
        self._run = (self._run[0], here) if self._run else (here, here)
        if self._log is None or position != self._log.size:
            self._log = None
            return
        self._log.append(chain_hash)
        if self._log.size in self._wanted:
            self._roots[self._log.size] = self._log.root()

    def root_at(self, size: int) -> bytes | None:
        """The root of the first entries, where all of them are there."""
        return self._roots.get(size)

    def root_here(self) -> tuple[int, bytes] | None:
        """Size and root of the entries so far, where they are all from the first on."""
        return None if self._log is None else (self._log.size, self._log.root())

    def finish(self) -> None:
        """After the last envelope: what is left of the paths, and the root of a whole log."""
        self._close()
        self._paths.finish()
        self.is_tied = self.is_tied and self.runs > 0
        if not self.is_whole:
            return
        found = self.root_here()
        self.is_recomputed = found is not None
        if found != (self._tree_size, self._root):
            self.is_tied = False
            computed = found[1].hex() if found else "none"
            self._findings.add("root_mismatch", BUNDLE, f"{computed} computed, {self._root.hex()} stated")

    def _close(self) -> None:
        """A run ends: it is the whole log, or both its ends need a path."""
        if self._run is None:
            return
        first, last = self._run
        self._run = None
        self.runs += 1
        self.last_position = max(last[0], self.last_position or 0)
        if self.runs == 1 and first[0] == 0 and last[0] == self._tree_size - 1:
            self.is_whole = True
            return
        self._tie(*first)
        if last[0] != first[0]:
            self._tie(*last)

    def _tie(self, position: int, chain_hash: bytes) -> None:
        found = self._paths.take(position)
        if found is None:
            self.is_tied = False
            return
        root = merkle.root_from_path(merkle.leaf(chain_hash), position, self._tree_size, found.path)
        if root != self._root:
            self.is_tied = False
            self._findings.add("inclusion_invalid", at_position(position), "the path does not lead to the root")
