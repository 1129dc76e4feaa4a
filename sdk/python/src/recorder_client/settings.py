"""How a sidecar is reached: where, over what, with which token. Everything is checked before the first request.

The environment says nothing here: no proxy, no certificate and no password is taken from it, so that neither evidence
nor token goes where the program did not send it.

Deliberately absent: http to another machine, unless the program says that it wants it.
"""

import errno
import ipaddress
import os
import re
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from recorder_client.errors import InvalidRequestError

Name = str | os.PathLike[str]

TOKEN_BYTES_MAX = 4 << 10
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class TokenError(InvalidRequestError):
    """There is no usable token; nothing was sent."""


@dataclass(frozen=True)
class Tls:
    """What TLS 1.3 to the sidecar needs: who may vouch for it, and what this side shows."""

    ca_file: Name | None = None
    """Certificates of those who vouch for the sidecar; without it, those of the system."""
    certificate_file: Name | None = None
    """This side's certificate chain, where the sidecar asks for one."""
    key_file: Name | None = None
    """The private key of that certificate."""
    key_password: str | None = field(default=None, repr=False)

    def context(self) -> ssl.SSLContext:
        """The context of every connection; raises `InvalidRequestError` where a file is none."""
        try:
            context = ssl.create_default_context(cafile=_path(self.ca_file))
            if self.certificate_file is not None:
                context.load_cert_chain(os.fspath(self.certificate_file), _path(self.key_file), self._password)
        except (OSError, ssl.SSLError) as error:
            raise InvalidRequestError(f"the TLS files cannot be used: {error}") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    def _password(self) -> str:
        """Never asks at a terminal."""
        return self.key_password or ""


def _path(name: Name | None) -> str | None:
    return None if name is None else os.fspath(name)


class Token:
    """A bearer token, or the file that it is read from before each attempt."""

    def __init__(self, value: str | None, file: Name | None) -> None:
        """One of the two, or neither."""
        if value is not None and file is not None:
            raise TokenError("a token or a token file, not both")
        if value is not None and not _TOKEN.match(value):
            raise TokenError("the token is not of the form of RFC 6750")
        self._value = value
        self._file = None if file is None else Path(file)

    def __repr__(self) -> str:
        """Never the token."""
        return "Token(…)"

    def read(self) -> str | None:
        """The token as it is now; raises `TokenError`."""
        if self._file is None:
            return self._value
        try:
            line = _read_secret(self._file).decode("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise TokenError(f"{self._file}: {_reason(error)}") from None
        token = line.removesuffix("\n").removesuffix("\r")
        if not _TOKEN.match(token):
            raise TokenError(f"{self._file}: does not hold one token of the form of RFC 6750")
        return token


def _reason(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not ASCII"
    return "a link, which is not followed" if error.errno == errno.ELOOP else os.strerror(error.errno or errno.EIO)


def _read_secret(path: Path) -> bytes:
    """A small regular file that is its owner's alone, and is no link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as source:
        state = os.fstat(source.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise TokenError(f"{path}: not a regular file")
        if state.st_mode & _OTHERS or state.st_uid not in (os.geteuid(), 0):
            raise TokenError(f"{path}: open to others; only its owner may read it (chmod 600)")
        data = source.read(TOKEN_BYTES_MAX + 1)
    if len(data) > TOKEN_BYTES_MAX:
        raise TokenError(f"{path}: larger than {TOKEN_BYTES_MAX} bytes")
    return data


@dataclass(frozen=True)
class Settings:
    """Where the sidecar is, and the bounds of each exchange."""

    base_url: str
    unix_socket: Name | None = None
    token: Token = field(default_factory=lambda: Token(None, None))
    tls: Tls = field(default_factory=Tls)
    timeout_seconds: float = 10.0
    connections_max: int = 64
    allow_plain_http: bool = False

    def __post_init__(self) -> None:
        """Refuses what would send evidence astray."""
        if not 0 < self.timeout_seconds < float("inf"):
            raise InvalidRequestError("a time-out is finite and above 0")
        try:
            url = httpx2.URL(self.base_url)
        except (httpx2.InvalidURL, TypeError) as error:
            raise InvalidRequestError(f"the URL cannot be used: {error}") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise InvalidRequestError("the URL begins with http:// or https:// and names a host")
        if url.userinfo or url.query or url.fragment or url.path not in ("", "/"):
            raise InvalidRequestError("the URL has no user, path, query or fragment")
        is_near = self.unix_socket is not None or _is_loopback(url.host)
        if url.scheme == "http" and not is_near and not self.allow_plain_http:
            raise InvalidRequestError(
                "http to another machine can be read and changed on the way; use https, or say allow_plain_http=True"
            )

    def ssl_context(self) -> ssl.SSLContext:
        """The context of every connection. Without https none is made, and that which stands for it trusts nobody."""
        is_needed = httpx2.URL(self.base_url).scheme == "https"
        return self.tls.context() if is_needed else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def limits(self) -> httpx2.Limits:
        """How many connections are kept."""
        return httpx2.Limits(max_connections=self.connections_max, max_keepalive_connections=self.connections_max)

    def socket_path(self) -> str | None:
        """The Unix socket, if there is one."""
        return _path(self.unix_socket)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
