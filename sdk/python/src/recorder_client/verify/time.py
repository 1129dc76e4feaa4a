"""Times (format §4): UTC with nine digits, and nanoseconds since 1970 where they are hashed.

Deliberately absent: `datetime`, which knows microseconds only, and any clock.
"""

import re

_CANONICAL = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{9})Z\Z")
_PRODUCER = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|\+00:00)\Z")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY_SECONDS = 86_400


def nanoseconds(text: str) -> int | None:
    """Nanoseconds since 1970 of a time as evidence spells it; none where it is no such time."""
    found = _CANONICAL.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction = map(int, found.groups())
    if year < 1970 or not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59:
        return None
    if not 1 <= day <= _DAYS[month - 1] + (month == 2 and _is_leap(year)):
        return None
    days = _days_before_year(year) + sum(_DAYS[: month - 1]) + (month > 2 and _is_leap(year)) + day - 1
    return (days * _DAY_SECONDS + hour * 3600 + minute * 60 + second) * 10**9 + fraction


def is_time(text: str) -> bool:
    """Whether `text` is a time as evidence spells it."""
    return nanoseconds(text) is not None


def is_recorder_time(text: str) -> bool:
    """Whether `text` is such a time, and its nanoseconds fit an `i64`."""
    found = nanoseconds(text)
    return found is not None and found < 2**63


def canonical_time(text: str) -> str | None:
    """How evidence spells what a producer may hand in; none where it is refused."""
    found = _PRODUCER.match(text)
    if found is None:
        return None
    spelled = f"{found.group(1)}.{(found.group(2) or ''):0<9}Z"
    return spelled if is_time(spelled) else None


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_before_year(year: int) -> int:
    before = year - 1
    return 365 * (year - 1970) + (before // 4 - before // 100 + before // 400) - (1969 // 4 - 1969 // 100 + 1969 // 400)


def spelled(nanoseconds_since: int) -> str:
    """How evidence spells a time, given in nanoseconds since 1970."""
    seconds, fraction = divmod(nanoseconds_since, 10**9)
    days, second = divmod(seconds, _DAY_SECONDS)
    year = 1970
    while days >= 365 + _is_leap(year):
        days -= 365 + _is_leap(year)
        year += 1
    month = 1
    while days >= _DAYS[month - 1] + (month == 2 and _is_leap(year)):
        days -= _DAYS[month - 1] + (month == 2 and _is_leap(year))
        month += 1
    time = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{year:04}-{month:02}-{days + 1:02}T{time}.{fraction:09}Z"
