"""What every benchmark ends with: a line per check for people, one JSON document for machines."""

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Check:
    """A measured value and what it should reach (`reach` is None where nothing was promised)."""

    name: str
    value: float
    unit: str
    reach: float | None = None
    at_most: bool = False

    @property
    def ok(self) -> bool | None:
        """Whether the reach is met."""
        if self.reach is None:
            return None
        return self.value <= self.reach if self.at_most else self.value >= self.reach


def finish(benchmark: str, checks: list[Check]) -> None:
    """Print the checks, then the JSON document as the last line. A miss is shown, never hidden."""
    print()
    for check in checks:
        bound = (
            f"  (reach {'≤' if check.at_most else '≥'} {check.reach:g})" if check.reach is not None else ""
        )
        mark = {True: "✓", False: "✗ MISSED", None: " "}[check.ok]
        print(f"  {check.name:<58} {check.value:>10.3f} {check.unit:<12}{bound} {mark}")
    rows = [asdict(check) | {"ok": check.ok} for check in checks]
    print(json.dumps({"benchmark": benchmark, "machine": machine(), "commit": commit(), "checks": rows}))


def peak() -> float:
    """MiB this process held at most (Linux). `getrusage` would count what its parent held when it started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def machine() -> dict[str, object]:
    """What the figures were taken on, and how busy it was besides."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        processor = names[0] if names else processor
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "load_before": round(_LOAD, 2),
        "system": platform.system(),
    }


def commit() -> str:
    """The checkout's commit, with a + where files differ from it."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


_LOAD = os.getloadavg()[0]
