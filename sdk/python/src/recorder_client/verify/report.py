"""The answers, the verdict and the exit code (format §15), and the transcript of how they came about.

Deliberately absent: words for people, which the command prints.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from recorder_client.verify.code import PHASES, Phase
from recorder_client.verify.finding import Findings
from recorder_client.verify.json_text import Value, canonical_text

VALID, WITH_WARNINGS, INVALID = "valid", "valid_with_warnings", "invalid"


@dataclass
class Answers:
    """The five questions."""

    integrity: str = "broken"
    authenticity: str = "unproven"
    completeness: str = "broken"
    end: str = "unproven"
    time: str = "claimed"

    def as_object(self) -> dict[str, str]:
        """As reports hold them."""
        return dict(sorted(vars(self).items()))


@dataclass
class Report:
    """What a verification found."""

    form: str
    findings: Findings
    answers: Answers
    subject: dict[str, Value] | None = None
    keys: list[dict[str, str]] = field(default_factory=list)
    is_reached: bool = False
    counts: dict[Phase, dict[str, int]] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """`valid`, `valid_with_warnings` or `invalid`."""
        answers = self.answers
        if "broken" in (answers.integrity, answers.authenticity, answers.completeness):
            return INVALID
        if answers.authenticity == "proven" and not self.findings.has_warning():
            return VALID
        return WITH_WARNINGS

    def exit_code(self, required: tuple[str, ...] = ("integrity", "authenticity")) -> int:
        """0 where everything required is proven, 4 where something is not, 3 where anything is broken."""
        if self.verdict == INVALID:
            return 3
        proven = {"authenticity": "proven", "end": "proven", "time": "bounded"}
        unproven = [what for what in required if what in proven and getattr(self.answers, what) != proven[what]]
        return 4 if unproven else 0

    def phases(self) -> list[dict[str, Value]]:
        """The seven phases, without their findings."""
        return [
            {
                "counts": dict(self.counts.get(phase, {})) if self.is_reached else {},
                "finding_count": self.findings.total_in(phase),
                "phase": phase.value,
                "reached": self.is_reached or phase is Phase.MANIFEST,
            }
            for phase in PHASES
        ]

    def findings_as_objects(self) -> list[dict[str, Value]]:
        """The first findings, in order."""
        return [
            {
                "code": finding.code.name,
                "detail": finding.detail,
                "phase": finding.code.phase.value,
                "place": str(finding.place),
                "severity": "failure" if finding.code.is_failure else "warning",
            }
            for finding in self.findings.listed
        ]

    def transcript(self, inputs: dict[str, Value]) -> str:
        """The canonical object; the same for the same inputs, from every implementation."""
        phases = self.phases()
        for phase, entry in zip(PHASES, phases, strict=True):
            entry["findings"] = [
                {"code": finding.code.name, "place": str(finding.place)}
                for finding in self.findings.listed
                if finding.code.phase is phase
            ]
        value: dict[str, Value] = {
            "answers": dict(self.answers.as_object()),
            "finding_count": self.findings.total,
            "inputs": inputs,
            "keys": [dict(key) for key in self.keys],
            "phases": list(phases),
            "subject": self.subject,
            "type": "recorder.verification-transcript/v1",
            "verdict": self.verdict,
        }
        return canonical_text(value)


def transcript_inputs(
    bundle_sha256: str, trust_root: bytes | None, known_heads: Sequence[bytes], limits: dict[str, int]
) -> dict[str, Value]:
    """The inputs of a verification, as its transcript names them."""
    return {
        "bundle_sha256": bundle_sha256,
        "known_heads_sha256": [hashlib.sha256(head).hexdigest() for head in known_heads],
        "limits_sha256": hashlib.sha256(canonical_text(dict(limits)).encode()).hexdigest(),
        "trust_root_sha256": None if trust_root is None else hashlib.sha256(trust_root).hexdigest(),
    }
