"""Ed25519, verified strictly (format §9): four rules, of which the library checks the last.

Deliberately absent: signing, and batches, which decide otherwise at the edges.
"""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)


@lru_cache(maxsize=4096)
def is_strict_point(encoded: bytes) -> bool:
    """Whether 32 bytes are the canonical encoding of a point that has no small order."""
    point = _decoded(encoded)
    return point is not None and not _has_small_order(*point)


def is_valid(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` holds for `message` under `public_key`."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    if int.from_bytes(signature[32:], "little") >= _L:
        return False
    if not is_strict_point(public_key) or not is_strict_point(signature[:32]):
        return False
    try:
        # Compares encodings of S·B − k·A and R: the equation without a cofactor.
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _decoded(encoded: bytes) -> tuple[int, int] | None:
    """The point (x, y), where `encoded` is its one encoding (RFC 8032 §5.1.3, y below p, no sign on 0)."""
    if len(encoded) != 32:
        return None
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        return None
    above, below = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = above * pow(below, 3, _P) * pow(above * pow(below, 7, _P), (_P - 5) // 8, _P) % _P
    if below * x * x % _P == -above % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if below * x * x % _P != above or (x == 0 and sign):
        return None
    return (_P - x if x & 1 != sign else x), y


def _has_small_order(x: int, y: int) -> bool:
    """Whether 8 times the point is the neutral element (0, 1)."""
    z = 1
    for _ in range(3):
        a, b, c = x * x % _P, y * y % _P, 2 * z * z % _P
        e, g = ((x + y) * (x + y) - a - b) % _P, (b - a) % _P
        f, h = (g - c) % _P, (-a - b) % _P
        x, y, z = e * f % _P, g * h % _P, f * g % _P
    return x == 0 and y == z
