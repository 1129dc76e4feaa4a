"""Mutants of honest bundles, judged here and by the Rust verifier: the transcripts are the same, byte for byte.

`RECORDER_VERIFY_MANY` names the program (`cargo build -p recorder-verify --example verify_many`); without it the test is
skipped by name. `RECORDER_MUTANTS` says how many, `RECORDER_MUTANTS_SEED` which.
"""

import hashlib
import io
import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import IO

import pytest
from bundles import Expected, corpus, trust_root_of
from mutants import Case, mutants
from paths import BUNDLES

from recorder_client.verify import LimitError, Limits, verify_source
from recorder_client.verify.checkpoint import read_checkpoint
from recorder_client.verify.report import transcript_inputs

PROGRAM = os.environ.get("RECORDER_VERIFY_MANY")
COUNT = int(os.environ.get("RECORDER_MUTANTS", "1500"))
SEED = int(os.environ.get("RECORDER_MUTANTS_SEED", "1"))
WORKERS = 2
SHOWN_MAX = 20


def ours(case: Case) -> str:
    """The transcript, or that there is no verdict."""
    heads = tuple(read_checkpoint(head.encode()) for head in case.known_heads)
    try:
        report = verify_source(io.BytesIO(case.data), len(case.data), trust_root_of(case.trust_root), heads)
    except LimitError:
        return "limit"
    root = None if case.trust_root is None else case.trust_root.encode()
    known = [head.encode() for head in case.known_heads]
    digest = hashlib.sha256(case.data).hexdigest()
    return report.transcript(transcript_inputs(digest, root, known, Limits().as_object()))


class Theirs:
    """The other verifier, one bundle after the other."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def judge(self, case: Case) -> str:
        into, out = _pipes(self._process)
        frame = {"size_bytes": len(case.data), "trust_root": case.trust_root, "known_heads": list(case.known_heads)}
        into.write(json.dumps(frame).encode() + b"\n" + case.data)
        into.flush()
        answer = out.readline().decode().removesuffix("\n")
        assert answer, f"the other verifier ended at {case.name}"
        return "limit" if "error" in json.loads(answer) else answer

    def end(self) -> None:
        into, out = _pipes(self._process)
        into.close()
        out.close()
        assert self._process.wait() == 0


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def difference(case: Case, theirs: str) -> str | None:
    """What the two transcripts say differently."""
    found = ours(case)
    if found == theirs:
        return None
    mine, other = (_findings(json.loads(one)) for one in _readable(found, theirs))
    return f"{case.name}: here {sorted((mine - other).elements())}, there {sorted((other - mine).elements())}"


def _readable(*transcripts: str) -> list[str]:
    return [json.dumps({"answers": "limit"}) if one == "limit" else one for one in transcripts]


def _findings(transcript: dict[str, object]) -> Counter[str]:
    phases = transcript.get("phases")
    listed = [one for phase in phases for one in phase["findings"]] if isinstance(phases, list) else []
    told = [f"{one['code']} at {one['place']}" for one in listed]
    counts = [f"{phase['phase']} {phase['counts']}" for phase in phases] if isinstance(phases, list) else []
    return Counter([*told, *counts, str(transcript["answers"]), str(transcript.get("keys"))])


def share(worker: int) -> tuple[int, list[str]]:
    """Compares every so-manieth mutant."""
    theirs, differences, count = Theirs(str(PROGRAM)), [], 0
    for case in _share_of(worker):
        found = difference(case, theirs.judge(case))
        differences += [found] if found else []
        count += 1
    theirs.end()
    return count, differences


def _share_of(worker: int) -> Iterator[Case]:
    return mutants(BUNDLES, SEED, range(worker, COUNT, WORKERS))


@pytest.mark.skipif(PROGRAM is None, reason="RECORDER_VERIFY_MANY names no program")
def test_mutants_give_the_same_transcripts() -> None:
    print(f"{COUNT} mutants of seed {SEED}")
    with ProcessPoolExecutor(WORKERS) as pool:
        results = list(pool.map(share, range(WORKERS)))
    differences = [one for _, found in results for one in found]
    assert not differences, "\n".join([f"{len(differences)} of seed {SEED} differ", *differences[:SHOWN_MAX]])
    assert sum(count for count, _ in results) == COUNT


@pytest.mark.skipif(PROGRAM is None, reason="RECORDER_VERIFY_MANY names no program")
def test_the_corpus_gives_the_same_transcripts() -> None:
    theirs = Theirs(str(PROGRAM))
    found = [difference(case, theirs.judge(case)) for case in map(_case, corpus())]
    theirs.end()
    assert [one for one in found if one] == []


def _case(one: Expected) -> Case:
    return Case(one.name, one.data, one.trust_root, one.known_heads)
