"""Servers of bytes: one that says what it is told to, and one that stands between and cuts."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

Script = Callable[[socket.socket, bytes], None]

PATIENCE_SECONDS = 30.0


def read_request(connection: socket.socket) -> bytes:
    """One request, head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            break
        body += more
    return head + b"\r\n\r\n" + body


def header(request: bytes, name: str) -> str:
    wanted = name.lower().encode() + b":"
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return next((line[len(wanted) :].strip().decode() for line in lines if line.lower().startswith(wanted)), "")


class Wire:
    """Answers each connection with the next script, and the last one for ever."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE_SECONDS)
            with connection, contextlib.suppress(OSError):
                request = read_request(connection)
                self.requests.append(request)
                script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
                script(connection, request)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_SECONDS)


@contextlib.contextmanager
def serving(*scripts: Script) -> Iterator[Wire]:
    wire = Wire(*scripts)
    try:
        yield wire
    finally:
        wire.close()


def forward(address: str, *, and_answer: bool) -> Script:
    """Hands a request on; gives the answer back, or cuts the connection once the answer is there."""

    def script(connection: socket.socket, request: bytes) -> None:
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), PATIENCE_SECONDS) as there:
            there.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            answer = b""
            while more := there.recv(65536):
                answer += more
        if and_answer:
            connection.sendall(answer)

    return script
