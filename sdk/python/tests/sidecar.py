"""A real sidecar for a test: a directory, a process, clients that reach it.

`RECORDER_SIDECAR_BIN` names the program (`cargo build -p recorder-sidecar`); without it these tests are skipped by name.
"""

import contextlib
import hashlib
import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder_client import AsyncRecorderClient, RecorderClient, RetryPolicy

PROGRAM = os.environ.get("RECORDER_SIDECAR_BIN")
TOKEN = "a-token-of-the-tests"
RECORDER = "sidecar:test"
PATIENCE_SECONDS = 60.0

# RFC 8410, version 1, around the seed of thirty-two sevens.
KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n"
    "-----END PRIVATE KEY-----\n"
)
_PUBLIC = Ed25519PrivateKey.from_private_bytes(bytes([7] * 32)).public_key().public_bytes_raw()
TRUST_ROOT: dict[str, Any] = {
    "type": "recorder.trust-root/v1",
    "keys": [
        {
            "key_id": hashlib.sha256(_PUBLIC).hexdigest(),
            "public_key": _PUBLIC.hex(),
            "streams": ["*"],
            "status": "active",
        }
    ],
}

_SETTINGS = {
    "recorder.recorder_id": f'"{RECORDER}"',
    "storage.path": '"recorder.db"',
    "storage.head_guard_path": '"guard/heads"',
    "transport.tcp.port": "0",
    "security.token_path": '"token"',
    "signer.key_path": '"key.pem"',
    "signer.checkpoint_interval_ms": "50",
}


class Place:
    """Where a sidecar lives."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.secret("token", TOKEN + "\n")
        self.secret("key.pem", KEY)

    def secret(self, name: str, text: str) -> Path:
        path = self.root / name
        path.touch(0o600)
        path.write_text(text, "utf-8")
        return path

    def start(self, more: str = "") -> "Sidecar":
        """Starts a sidecar with these settings and waits until it listens."""
        given = "".join(f"{name} = {value}\n" for name, value in _SETTINGS.items() if name not in more)
        config = self.root / "sidecar.toml"
        config.write_text("config_version = 1\n" + given + more, "utf-8")
        return Sidecar(self.root, config)


class Sidecar:
    """A running sidecar."""

    def __init__(self, root: Path, config: Path) -> None:
        self._root = root
        self._process = subprocess.Popen(
            [str(PROGRAM), "--config", str(config), "--create"], stderr=subprocess.PIPE, cwd=root
        )
        self._log: queue.Queue[dict[str, Any] | None] = queue.Queue()
        assert self._process.stderr is not None
        threading.Thread(target=_follow, args=(self._process.stderr, self._log), daemon=True).start()
        self.listening = self.wait_for("listening")

    @property
    def address(self) -> str:
        return str(self.listening["tcp"])

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def client(self, **options: Any) -> RecorderClient:
        return RecorderClient(options.pop("base_url", self.url), **_options(options))

    def async_client(self, **options: Any) -> AsyncRecorderClient:
        return AsyncRecorderClient(options.pop("base_url", self.url), **_options(options))

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next line of the log about `event`."""
        while True:
            line = self._log.get(timeout=PATIENCE_SECONDS)
            assert line is not None, f"the sidecar ended before {event}"
            if line.get("event") == event:
                return line

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def hang_up(self) -> None:
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        self._process.terminate()
        assert self._process.wait(PATIENCE_SECONDS) == 0


def _options(options: dict[str, Any]) -> dict[str, Any]:
    return {"token": TOKEN, "recorder_id": RECORDER, "retry": RetryPolicy(deadline_seconds=PATIENCE_SECONDS)} | options


def _follow(stderr: IO[bytes], log: "queue.Queue[dict[str, Any] | None]") -> None:
    for line in stderr:
        try:
            log.put(json.loads(line))
        except ValueError:
            log.put({"event": "text", "text": line.decode("utf-8", "replace")})
    log.put(None)


@contextlib.contextmanager
def running(place: Place, more: str = "") -> Iterator[Sidecar]:
    """A sidecar that is gone at the end."""
    sidecar = place.start(more)
    try:
        yield sidecar
    finally:
        sidecar.kill()
