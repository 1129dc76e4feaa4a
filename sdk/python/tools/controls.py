"""Takes each control of the client out of a copy, one at a time, and sees a test go red.

    python sdk/python/tools/controls.py [WORDS OF A NAME]

A control whose tests stay green without it protects nothing. A test sees that every text to be taken out stands in its
file once.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PYTHON = Path(__file__).resolve().parents[1]
PACKAGE = PYTHON / "src/recorder_client"


@dataclass(frozen=True)
class Control:
    """Where a control is, how it looks when it is out, and what then fails."""

    name: str
    file: str
    take: str
    put: str
    test: str


CONTROLS = (
    Control("a server correlation id", "answers.py", "if len(ids) != 1 or not _TOKEN.match(ids[0]):", "if False:", "test_answers.py"),
    Control("the correlation id is that of the request", "answers.py", "if echoed != [call.correlation_id] and (echoed or is_owed):", "if False:", "test_answers.py"),
    Control("the media type is exact", "answers.py", "if given != [expected]:", "if False:", "test_answers.py"),
    Control("a code that the operation has", "answers.py", "if problem.code not in call.operation.codes:", "if False:", "test_answers.py"),
    Control("a code says what it says in the contract", "answers.py", "if stated != (facts.status, facts.retryable, f\"urn:recorder:problem:{problem.code}\"):", "if False:", "test_answers.py"),
    Control("a problem names its own status", "answers.py", "if problem.status != reply.status:", "if False:", "test_answers.py"),
    Control("a problem is that of the request", "answers.py", "if problem.server_correlation_id != reply.headers[SERVER_CORRELATION_HEADER]:", "if False:", "test_answers.py"),
    Control("Retry-After is a number", "answers.py", "if len(values) != 1 or not _SECONDS.match(values[0]):", "if not values:\n        return 0\n    if not values[0].isdigit():\n        return 0\n    if False:", "test_answers.py"),
    Control("replays are said by status and header", "answers.py", "if said != expected[reply.status]:", "if False:", "test_answers.py"),
    Control("no member is repeated", "json_value.py", "if len(members) != len(pairs):", "if False:", "test_answers.py"),
    Control("no number that JSON lacks is read", "json_value.py", "raise NotJsonError(f\"{name} is no JSON\")", "return 0", "test_json_value.py"),
    Control("objects are closed", "model_base.py", "        extra=\"forbid\",\n", "", "test_answers.py"),
    Control("types are not converted", "model_base.py", "        strict=True,\n", "", "test_answers.py"),
    Control("a receipt is for what was sent", "calls.py", "    if other is not None:\n        raise BreachError(f\"the receipt's", "    if False:\n        raise BreachError(f\"the receipt's", "test_answers.py"),
    Control("a commitment is compared", "drafts.py", "names = (\"envelope_id\", \"payload_commitment\", \"content_hash\")", "names = (\"envelope_id\", \"content_hash\")", "test_answers.py"),
    Control("one receipt for each draft", "calls.py", "if len(receipts) != len(prepared):", "if False:", "test_answers.py"),
    Control("answers are about what was asked", "calls.py", "if value is not None and getattr(answer, name) != value:", "if False:", "test_answers.py"),
    Control("pages go on", "calls.py", "if following is not None and following == cursor:", "if False:", "test_answers.py"),
    Control("a key is derived from the bytes", "calls.py", "return \"sha256-\" + hashlib.sha256(body).hexdigest()", "return \"sha256-\" + os.urandom(16).hex()", "test_retries.py"),
    Control("drafts are fixed before the first attempt", "drafts.py", "in repeatable(draft, surroundings) if", "in draft if", "test_retries.py"),
    Control("what is not retryable is not repeated", "retries.py", "if isinstance(failure, Breach) or not failure.problem.retryable:", "if isinstance(failure, Breach):", "test_retries.py"),
    Control("violations are not repeated", "retries.py", "if isinstance(failure, Breach) or not failure.problem.retryable:", "if isinstance(failure, Breach):\n        return jitter\n    if not failure.problem.retryable:", "test_answers.py"),
    Control("Retry-After is honoured", "retries.py", "return min(float(failure.retry_after_seconds or 0), policy.retry_after_max_seconds) + jitter", "return jitter", "test_retries.py"),
    Control("Retry-After is bounded", "retries.py", "return min(float(failure.retry_after_seconds or 0), policy.retry_after_max_seconds) + jitter", "return float(failure.retry_after_seconds or 0) + jitter", "test_retries.py"),
    Control("attempts end", "retries.py", "failures.attempts >= policy.attempts_max or", "", "test_retries.py"),
    Control("the deadline ends them too", "retries.py", "or pause >= left:", "or False:", "test_retries.py"),
    Control("NaN is refused", "json_value.py", "if not math.isfinite(value):", "if False:", "test_json_value.py"),
    Control("integers that are rounded are refused", "json_value.py", "if abs(value) > INTEGER_MAX:", "if False:", "test_json_value.py"),
    Control("halves of surrogate pairs are refused", "json_value.py", "if _SURROGATE.search(value):", "if False:", "test_json_value.py"),
    Control("keys are strings", "json_value.py", "if not isinstance(name, str):", "if False:", "test_json_value.py"),
    Control("depth is bounded", "json_value.py", "if depth >= PAYLOAD_LIMITS.depth_max:", "if False:", "test_json_value.py"),
    Control("payloads are copied", "model_base.py", "SentObject = Annotated[dict[str, Any], PlainValidator(snapshot)]", "SentObject = Annotated[dict[str, Any], PlainValidator(lambda v: snapshot(v) and v)]", "test_json_value.py"),
    Control("plain http stays on this machine", "settings.py", "if url.scheme == \"http\" and not is_near and not self.allow_plain_http:", "if False:", "test_settings.py"),
    Control("a URL names no user and no path", "settings.py", "if url.userinfo or url.query or url.fragment or url.path not in (\"\", \"/\"):", "if False:", "test_settings.py"),
    Control("a token has its form", "settings.py", "if value is not None and not _TOKEN.match(value):", "if False:", "test_settings.py"),
    Control("a token file is its owner's alone", "settings.py", "if state.st_mode & _OTHERS or", "if", "test_settings.py"),
    Control("a token file is no link", "settings.py", "os.O_NOFOLLOW | ", "", "test_settings.py"),
    Control("a token file is read each time", "settings.py", "            line = _read_secret(self._file).decode(\"ascii\")", "            self._line = getattr(self, \"_line\", None) or _read_secret(self._file).decode(\"ascii\")\n            line = self._line", "test_settings.py"),
    Control("a client is for one process", "base.py", "if os.getpid() != self._process_id:", "if False:", "test_settings.py"),
    Control("an answer is bounded", "exchange.py", "if self._size_bytes > self._bytes_max:", "if False:", "test_answers.py"),
    Control("bodies are not decoded", "exchange.py", "if response.headers.get(\"content-encoding\", \"identity\").lower() != \"identity\":", "if False:", "test_answers.py"),
    Control("the deadline holds in a body", "client.py", "if self._surroundings.monotonic() > deadline:", "if False:", "test_odd_servers.py"),
    Control("an archive is one", "archive_file.py", "if source.read(len(_MAGIC)) != _MAGIC:", "if False:", "test_odd_servers.py"),
    Control("an archive replaces no file", "archive_file.py", "if os.path.lexists(self._path):", "if False:", "test_odd_servers.py"),
    Control("no half of an archive is left", "archive_file.py", "            self._partial.unlink()", "            pass", "test_odd_servers.py"),
    Control("an action fails closed before", "actions.py", "        if self.plan.fail_open is None:\n            raise failure\n", "        if self.plan.fail_open is None:\n            return\n", "test_actions.py"),
    Control("an action fails closed after", "actions.py", "        raise UnrecordedOutcomeError(f\"the outcome", "        return\n        raise UnrecordedOutcomeError(f\"the outcome", "test_actions.py"),
    Control("an error is recorded by its type", "actions.py", "payload[\"error_type\"] = _type_name(type(error))", "payload[\"error_type\"] = repr(error)", "test_actions.py"),
    Control("actions leave their context", "actions.py", "            _CURRENT.reset(self._token)", "            pass", "test_actions.py"),
    Control("what is done later is not decorated", "actions.py", "if _is_later(function) or inspect.iscoroutinefunction(function):", "if False:", "test_actions.py"),
    Control("the queue of log records is bounded", "log_handler.py", "not self._is_closed and len(self._queue) < self._capacity", "not self._is_closed", "test_log_handler.py"),
    Control("lost log records are counted", "log_handler.py", "            self._lost += count\n", "", "test_log_handler.py"),
    Control("lost log records are recorded as a number", "log_handler.py", "            self._tell()\n", "", "test_log_handler.py"),
    Control("the client's own log is not recorded", "log_handler.py", "if record.name.partition(\".\")[0] in _OWN_LOGGERS or threading.current_thread() is self._thread:", "if False:", "test_log_handler.py"),
    Control("the verifier stands alone", "verify/__init__.py", "import hashlib\n", "import hashlib\n\nimport recorder_client.errors\n", "test_independence.py"),
)  # fmt: skip


def goes_red(control: Control, place: Path) -> bool:
    """Whether its test fails in a copy without it."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(PACKAGE, place / "recorder_client")
    path = place / "recorder_client" / control.file
    path.write_text(path.read_text("utf-8").replace(control.take, control.put), "utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"tests/{control.test}"]
    environment = os.environ | {"PYTHONPATH": str(place)}
    done = subprocess.run(command, cwd=PYTHON, env=environment, capture_output=True, check=False)  # noqa: S603
    return done.returncode == 1


def main(words: list[str]) -> int:
    """Prints each control, and whether a test notices that it is gone."""
    green = []
    with tempfile.TemporaryDirectory() as directory:
        for control in CONTROLS:
            if words and not all(word in control.name for word in words):
                continue
            is_red = goes_red(control, Path(directory) / "copy")
            sys.stdout.write(f"{'red  ' if is_red else 'GREEN'} {control.name}\n")
            sys.stdout.flush()
            green += [] if is_red else [control.name]
    return 1 if green else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
