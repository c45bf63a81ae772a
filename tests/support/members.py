"""Members of a cluster that die in a test."""

import os
import signal
from typing import Any


def killed_process(ray: Any, member: Any) -> int:
    """Ends a member's process by `kill -9` and gives its number."""
    number = int(ray.get(member.process.remote()))
    os.kill(number, signal.SIGKILL)
    return number
