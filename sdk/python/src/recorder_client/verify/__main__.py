"""`python -m recorder_client.verify BUNDLE`: the answers as `recorder bundle verify` gives them, and its exit codes.

Deliberately absent: a configuration file, and heads kept from bundles before.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import NoReturn

from recorder_client.verify import InputError, Inputs, LimitError, Report, read_inputs, transcript, verify_file
from recorder_client.verify.report import INVALID, VALID

FAILED, WRONG_USAGE, FORBIDDEN = 1, 2, 5
_TITLES = {VALID: "VALID", INVALID: "INVALID"}


class _Arguments(argparse.ArgumentParser):
    """Says what is wrong with the command line in the shape that was asked for."""

    def error(self, message: str) -> NoReturn:
        """Ends with the exit code for wrong usage."""
        sys.exit(_refuse("usage", message, WRONG_USAGE, as_json="--json" in sys.argv))


def main(arguments: list[str] | None = None) -> int:
    """Verifies what the command line names; gives the exit code."""
    given = _parser().parse_args(arguments)
    required = tuple(given.require or ("integrity", "authenticity"))
    output = given.verdict_transcript_output
    try:
        if output is not None and output.exists():
            return _refuse("exists", f"{output} exists", FORBIDDEN, as_json=given.json)
        inputs = read_inputs(given.trust_root, given.known_head)
        report = verify_file(given.bundle, inputs)
        if output is not None:
            with output.open("xb") as file:
                file.write(transcript(given.bundle, inputs, report).encode())
    except InputError as error:
        return _refuse("input_invalid", str(error), WRONG_USAGE, as_json=given.json)
    except LimitError as error:
        return _refuse("limit_exceeded", str(error), FAILED, as_json=given.json)
    except OSError as error:
        return _refuse("io", str(error), FAILED, as_json=given.json)
    try:
        if given.json:
            print(json.dumps(_answer(report, required, inputs), ensure_ascii=True, separators=(",", ":")))
        else:
            _print(given.bundle, report)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads on. The exit code still says what came of it; the interpreter must not write at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return report.exit_code(required)


def _parser() -> argparse.ArgumentParser:
    parser = _Arguments(
        prog="python -m recorder_client.verify",
        description="Verify a bundle offline, and say what is proven and what is not.",
    )
    parser.add_argument("bundle", type=Path, help="the bundle: an archive or a document")
    parser.add_argument(
        "--trust-root",
        type=Path,
        default=os.environ.get("RECORDER_TRUST_ROOT"),
        help="the keys that you believe; from whoever runs the recorder, by another way than the bundle",
    )
    parser.add_argument(
        "--known-head",
        type=Path,
        action="append",
        default=[],
        help="a checkpoint that you hold from elsewhere; may be repeated",
    )
    parser.add_argument(
        "--require",
        action="append",
        choices=("integrity", "authenticity", "end", "time"),
        help="what must be proven; may be repeated (default: integrity and authenticity)",
    )
    parser.add_argument("--verdict-transcript-output", type=Path, help="write the transcript to this new file")
    parser.add_argument("--json", action="store_true", help="answer with one JSON document")
    return parser


def _refuse(code: str, message: str, exit_code: int, *, as_json: bool) -> int:
    """Says why nothing was judged."""
    if as_json:
        print(json.dumps({"error": {"code": code, "message": message, "exit_code": exit_code}}))
    else:
        print(f"error: {message}", file=sys.stderr)
    return exit_code


def _answer(report: Report, required: tuple[str, ...], inputs: Inputs) -> dict[str, object]:
    """The answer in the shape of `recorder bundle verify --json`."""
    exit_code = report.exit_code(required)
    return {
        "verdict": report.verdict,
        "answers": report.answers.as_object(),
        "required": required,
        "satisfied": exit_code == 0,
        "exit_code": exit_code,
        "trust_root_given": inputs.trust_root is not None,
        "subject": report.subject,
        "findings": report.findings_as_objects(),
        "finding_count": report.findings.total,
        "keys": report.keys,
        "phases": report.phases(),
    }


def _print(bundle: Path, report: Report) -> None:
    """The answer for people. What a bundle chose to say is printed with everything unusual escaped."""
    print(_TITLES.get(report.verdict, "VALID, WITH WARNINGS"))
    print(f"file            {_plain(str(bundle))}")
    if report.subject is None:
        print("bundle          its manifest was refused, so nothing else was looked at")
    else:
        for name, value in report.subject.items():
            print(f"{name:<16}{_plain(json.dumps(value) if isinstance(value, dict) else str(value))}")
    print()
    for question, answer in report.answers.as_object().items():
        print(f"  {question:<14}{answer}")
    if report.findings.listed:
        print(f"\nFindings ({report.findings.total})")
    for finding in report.findings.listed:
        print(f"  {finding.code.name}  {finding.code.phase.value}, {_plain(str(finding.place))}")
        print(f"      {finding.code.meaning} ({_plain(finding.detail)})")
    if report.verdict == INVALID:
        print("\nNothing that this bundle says is proven by it.")


def _plain(text: str) -> str:
    """Printable ASCII; the rest escaped, so that no text can steer a terminal."""
    return text.encode("unicode_escape").decode("ascii")


if __name__ == "__main__":
    sys.exit(main())
