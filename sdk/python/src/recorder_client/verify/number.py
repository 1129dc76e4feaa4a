"""Numbers as RFC 8785 prints them (format §3): what ECMAScript prints of a double.

Deliberately absent: integers beyond a double, which the reader refuses before anything is printed.
"""

import math
import re

# Python's own shortest digits: d.ddd or ddd.d, and an exponent beyond 16 digits or below 10^-4.
_REPR = re.compile(r"(\d+)(?:\.(\d+))?(?:e([+-]\d+))?\Z")


def canonical_number(value: int | float) -> str:
    """The one spelling of a finite number."""
    if isinstance(value, int) and abs(value) <= 2**53:
        return str(value)
    double = float(value)
    if not math.isfinite(double):
        raise ValueError("not a finite number")
    if double == 0:
        return "0"
    sign = "-" if double < 0 else ""
    digits, point = _digits(abs(double))
    return sign + _spelled(digits, point)


def _digits(double: float) -> tuple[str, int]:
    """The shortest digits that read back as `double`, and where the point stands: 0.digits × 10^point."""
    found = _REPR.match(repr(double))
    if found is None:
        raise ValueError("not a finite number")
    whole, fraction, exponent = found.group(1), found.group(2) or "", int(found.group(3) or "0")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + exponent - (len(whole + fraction) - len(digits))
    return digits.rstrip("0"), point


def _spelled(digits: str, point: int) -> str:
    """ECMAScript, Number::toString, for digits that begin and end with none of 0."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    mantissa = digits if count == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{mantissa}e{point - 1:+d}"
