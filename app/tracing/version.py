"""Which code answered: the release, and the commit where Startrail runs from a checkout."""

import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from app.paths import CHECKOUT


@lru_cache
def release() -> str:
    """The installed version of Startrail."""
    try:
        return version("startrail")
    except PackageNotFoundError:
        return "unreleased"


@lru_cache
def code_version() -> str:
    """`0.1.0`, or `0.1.0+1a2b3c4d5e6f` in a checkout."""
    if not (CHECKOUT / ".git").exists():
        return release()
    asked = ["git", "-C", str(CHECKOUT), "rev-parse", "--short=12", "HEAD"]
    try:
        commit = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return release()
    return f"{release()}+{commit}"
