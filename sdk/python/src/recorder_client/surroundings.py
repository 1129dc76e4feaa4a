"""What the client takes from outside besides the network: clocks, randomness, sleep. Tests give their own."""

import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

_JITTER = random.SystemRandom()


@dataclass(frozen=True)
class Surroundings:
    """The real ones, unless others are given."""

    monotonic: Callable[[], float] = time.monotonic
    time_ns: Callable[[], int] = time.time_ns
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    uniform: Callable[[float, float], float] = _JITTER.uniform
    sleep: Callable[[float], None] = time.sleep
    sleep_async: Callable[[float], Awaitable[None]] = anyio.sleep


REAL = Surroundings()
