"""Asks a real sidecar whatever its OpenAPI document allows and forbids, and holds every answer against the document.

    python run.py SIDECAR OPENAPI DIRECTORY

Starts the program SIDECAR in an empty DIRECTORY, runs schemathesis against it, stops it, and ends as schemathesis did.
The seed is fixed and nothing is remembered between runs, so that the same sidecar gets the same requests.

Requests are generated from a copy of the document in which names are drawn by `hooks.py`: what a name may not hold is a
pattern of two thousand ranges, of which a generator makes one name a second. Answers are held against the document as it
is.
"""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

TOKEN = "secret-token"
SEED = "20261122"

# Lists that may be longer are drawn without a bound to go to.
ITEMS_MAX = 100

# RFC 8410, version 1, around the seed of thirty-two sevens.
KEY = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH
-----END PRIVATE KEY-----
"""

SETTINGS = """
config_version = 1
recorder.recorder_id = "recorder-cli"
storage.path = "recorder.db"
storage.head_guard_path = "guard/heads"
transport.tcp.port = 0
security.token_path = "token"
signer.key_path = "key.pem"
signer.checkpoint_interval_ms = 50
otel.key_path = "otel-key"
ingest.max_streams = 10000
"""


def with_drawn_names(document: dict[str, Any]) -> dict[str, Any]:
    """Lets requests refer to schemas of their own, in which names are drawn by format."""
    document = copy.deepcopy(document)
    schemas = document["components"]["schemas"]
    prefix = "#/components/schemas/"

    def rewritten(node: Any) -> Any:
        if isinstance(node, list):
            return [rewritten(item) for item in node]
        if not isinstance(node, dict):
            return node
        # A list of a thousand envelopes is asked for by other tests, and here by every second request.
        node = {key: rewritten(value) for key, value in node.items() if key != "maxItems" or value <= ITEMS_MAX}
        if str(node.get("$ref", "")).startswith(prefix):
            node["$ref"] = prefix + "sent_" + node["$ref"].removeprefix(prefix)
        properties = node.get("properties", {})
        if "recorder_id" in properties:
            properties["recorder_id"] = drawn("recorder_id")
        return node

    def drawn(name: str) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": 256, "format": f"drawn_{name}"}

    for name, schema in list(schemas.items()):
        schemas["sent_" + name] = drawn("name") if name == "name" else rewritten(schema)
    for item in document["paths"].values():
        for operation in item.values():
            operation["parameters"] = rewritten(operation["parameters"])
            for parameter in operation["parameters"]:
                if parameter.get("name") == "recorder_id":
                    parameter["schema"] = drawn("recorder_id")
            if "requestBody" in operation:
                operation["requestBody"] = rewritten(operation["requestBody"])
    return document


def start(sidecar: Path, directory: Path) -> tuple[subprocess.Popen[str], str]:
    """Starts the sidecar; returns it and where it listens."""
    directory.mkdir(parents=True)
    files = {"token": TOKEN, "key.pem": KEY, "otel-key": "07" * 32, "sidecar.toml": SETTINGS}
    for name, text in files.items():
        path = directory / name
        path.touch(mode=0o600)
        path.write_text(text)
    command = [sidecar, "--config", directory / "sidecar.toml", "--create"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    try:
        address = json.loads(line)["tcp"]
    except (ValueError, KeyError):
        raise SystemExit(f"the sidecar did not start: {line}{process.stderr.read()}") from None
    log = (directory / "log").open("w")
    threading.Thread(target=lambda: log.writelines(process.stderr or []), daemon=True).start()
    return process, f"http://{address}"


def main() -> int:
    """Runs everything; returns the exit code."""
    sidecar, document, directory = map(Path, sys.argv[1:])
    process, url = start(sidecar.absolute(), directory)
    try:
        copied = directory / "openapi.json"
        copied.write_text(json.dumps(with_drawn_names(json.loads(document.read_text()))))
        here = Path(__file__).parent
        tool = Path(sys.executable).with_name("schemathesis")
        command = [tool, "--config-file", here / "schemathesis.toml", "run", copied, "--url", url, "--seed", SEED]
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(here), "RECORDER_TOKEN": TOKEN}
        code = subprocess.run(command, env=environment, cwd=directory, check=False).returncode
    finally:
        process.send_signal(signal.SIGTERM)
        ended = process.wait(60)
    if ended != 0:
        print(f"the sidecar ended with {ended}; its log is {directory / 'log'}", file=sys.stderr)
    return code or ended


if __name__ == "__main__":
    sys.exit(main())
