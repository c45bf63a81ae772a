"""Leases end by the clock, which can be set, and goes on while a machine sleeps; work goes on by the time that passes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from app.store.base import now

LEAP = 5.0  # seconds: less is the clock being kept right
SETTLES = 20.0  # seconds after a leap in which everybody notices it: several signs of life


@dataclass
class Clock:
    """Whether the clock has just leapt: a lease that is over then says nothing of who holds it."""

    says: Callable[[], datetime] = now
    passes: Callable[[], float] = time.monotonic
    _ahead: float = field(init=False, repr=False)
    _settled: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._ahead, self._settled = self._difference(), self.passes()

    def leapt(self) -> bool:
        """Whether it was set forth, or the machine was away, within the last `SETTLES` seconds. Back does no lease harm."""
        ahead = self._difference()
        if ahead - self._ahead > LEAP:
            self._settled = self.passes() + SETTLES
        self._ahead = ahead
        return self.passes() < self._settled

    def _difference(self) -> float:
        return self.says().timestamp() - self.passes()
