"""Verifies a bundle offline: seven phases, five answers, one verdict. Written from the format's page alone.

    from recorder_client.verify import verify

    report = verify("all.recorder.zip", trust_root="trust-root.json")
    report.verdict, report.answers.authenticity, report.exit_code()

Deliberately absent: anything that trusts a bundle, a network or a clock.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from recorder_client.verify.checkpoint import Checkpoint, read_checkpoint
from recorder_client.verify.finding import Finding
from recorder_client.verify.form import FormError
from recorder_client.verify.limit import CHECKPOINT_BYTES_MAX, TRUST_ROOT_BYTES_MAX, LimitError, Limits
from recorder_client.verify.report import Answers, Report, transcript_inputs
from recorder_client.verify.trust_root import TrustRoot, TrustRootError, read_trust_root
from recorder_client.verify.verifier import verify_source

__all__ = [
    "Answers",
    "Finding",
    "InputError",
    "Inputs",
    "LimitError",
    "Limits",
    "Report",
    "TrustRootError",
    "read_inputs",
    "transcript",
    "verify",
    "verify_source",
]

_DEFAULT_LIMITS = Limits()

Name = str | os.PathLike[str]


class InputError(Exception):
    """A file of the auditor's own, trust root or known head, is none."""


@dataclass(frozen=True)
class Inputs:
    """What the auditor brings along: both as read and as bytes, which a transcript names by their hashes."""

    trust_root: TrustRoot | None
    trust_root_bytes: bytes | None
    known_heads: tuple[Checkpoint, ...]
    known_heads_bytes: tuple[bytes, ...]
    limits: Limits = _DEFAULT_LIMITS


def read_inputs(
    trust_root: Name | None = None, known_heads: Iterable[Name] = (), limits: Limits = _DEFAULT_LIMITS
) -> Inputs:
    """Reads the auditor's files; raises `InputError` or `OSError`."""
    root_bytes = None if trust_root is None else _read_bounded(trust_root, TRUST_ROOT_BYTES_MAX)
    heads_bytes = tuple(_read_bounded(head, CHECKPOINT_BYTES_MAX) for head in known_heads)
    try:
        root = None if root_bytes is None else read_trust_root(root_bytes)
        heads = tuple(map(read_checkpoint, heads_bytes))
    except TrustRootError as error:
        raise InputError(f"not a trust root: {error}") from None
    except FormError as error:
        raise InputError(f"not a checkpoint: {error}") from None
    return Inputs(root, root_bytes, heads, heads_bytes, limits)


def verify(
    bundle: Name,
    trust_root: Name | None = None,
    known_heads: Iterable[Name] = (),
    limits: Limits = _DEFAULT_LIMITS,
) -> Report:
    """Verifies a file.

    Whatever is wrong with the bundle is in the report. Raises `InputError` where a file of the auditor's is none,
    `LimitError` where the bundle asks for more than the limits allow, and `OSError` where a file cannot be read.
    """
    return verify_file(bundle, read_inputs(trust_root, known_heads, limits))


def verify_file(bundle: Name, inputs: Inputs) -> Report:
    """Verifies a file with inputs that have been read."""
    with Path(bundle).open("rb") as source:
        size_bytes = source.seek(0, os.SEEK_END)
        return verify_source(source, size_bytes, inputs.trust_root, inputs.known_heads, inputs.limits)


def transcript(bundle: Name, inputs: Inputs, report: Report) -> str:
    """The transcript of a verification (format §15), the same from every implementation."""
    with Path(bundle).open("rb") as source:
        bundle_sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    limits = inputs.limits.as_object()
    return report.transcript(
        transcript_inputs(bundle_sha256, inputs.trust_root_bytes, inputs.known_heads_bytes, limits)
    )


def _read_bounded(path: Name, bytes_max: int) -> bytes:
    with Path(path).open("rb") as source:
        data = source.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise InputError(f"{os.fspath(path)}: larger than {bytes_max} bytes")
    return data
