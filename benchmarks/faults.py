"""Faults that come without notice, again and again, while people ask: nothing accepted is lost, nothing half-written shows.

    python benchmarks/faults.py --home HOME --kills 20 --locked 60 --database postgresql

copies the home (the demo's, say, on SQLite; with PostgreSQL its rows are moved over to a server of our own), serves it with
its worker, and while questions and pages are asked all the time does one thing after another: kills the server, the worker, an
importer, an index build and an evaluation with SIGKILL; stops a worker without killing it; holds the database locked; lets
PostgreSQL fall and get up again; fills the disk (a tmpfs) and takes the right to
write away from the home's files (as root); sets the clock back an hour;
and lets two servers and four workers share the home.

Reaches: every answer 200, 202 or 503; every question that was accepted is answered, and one that is put afterwards, all within
30 s after the fault; what was killed leaves nothing half-written; trouble that passes ends no process.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import _faults_kills as kills
import _faults_troubles as troubles
from _faults_site import STARTS, Field, copied, moved_over, served, until
from _report import Check, finish

Fault = Callable[[Field], int | None]
SPARE = 60 << 20  # bytes that a small disk has to spare


def main() -> None:
    """Serve, break, look."""
    asked = arguments()
    checks: list[Check] = []
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        place = Path(temporary)
        place.chmod(0o755)
        home, log = copied(asked.home, place), asked.log or place / "log"
        url, restart = f"sqlite:///{home / 'startrail.db'}", None
        if asked.database == "postgresql":
            url, restart = stack.enter_context(troubles.of_postgresql())
            moved_over(home, url)
            (home / "startrail.db").unlink()
        suffer = partial(meet, checks, asked)
        if of_one_site := list(faults(asked, restart)):
            with served(home, url, log) as field:
                until(field.site.ready, STARTS, "the first worker")
                for name, fault in of_one_site:
                    suffer(name, fault, field)
        if wanted(asked, "disk full", "home read-only") and asked.database == "sqlite":
            on_a_small_disk(suffer, asked, place)
        if wanted(asked, "clock set back"):
            with troubles.other_clock(home, url, log) as (field, clock):
                suffer(
                    "clock set back", lambda field: troubles.set_back(field, clock, 3 * asked.trouble), field
                )
        if asked.log is None:
            print("\n".join(lines_of(log)), flush=True)
    finish(f"faults, {asked.database}", checks)


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--kills", type=int, default=20, help="of each kind")
    parser.add_argument("--restarts", type=int, default=5, help="of PostgreSQL")
    parser.add_argument("--locked", type=float, default=60, help="seconds")
    parser.add_argument("--shared", type=float, default=60, help="seconds with two servers and four workers")
    parser.add_argument("--trouble", type=float, default=20, help="seconds with each other trouble")
    parser.add_argument(
        "--patience", type=float, default=300, help="seconds until what is not answered is lost"
    )
    parser.add_argument("--only", action="append", help="only this fault, by its name; can be given again")
    parser.add_argument("--log", type=Path, help="file for what servers and workers say")
    return parser.parse_args()


def wanted(asked: argparse.Namespace, *names: str) -> bool:
    """Whether one of these was asked for."""
    return not asked.only or any(name in asked.only for name in names)


def faults(asked: argparse.Namespace, restart: Callable[[], None] | None) -> Iterator[tuple[str, Fault]]:
    """All that one site goes through, in this order."""
    each = {
        "server killed": lambda field: kills.servers(field, asked.kills),
        "worker killed": lambda field: kills.workers(field, asked.kills),
        "importer killed": lambda field: kills.importers(field, asked.kills),
        "index build killed": lambda field: kills.builders(field, asked.kills),
        "evaluation killed": lambda field: kills.evaluations(field, asked.kills),
        "worker stopped": kills.hang,
        "database locked": lambda field: troubles.lock(field, asked.locked),
        "two servers, four workers": lambda field: troubles.share(field, asked.shared),
    }
    if restart is not None:
        each["PostgreSQL restarted"] = lambda field: troubles.restart(field, restart, asked.restarts)
    yield from ((name, fault) for name, fault in each.items() if wanted(asked, name))


def on_a_small_disk(
    suffer: Callable[[str, Fault, Field], None], asked: argparse.Namespace, place: Path
) -> None:
    """Full, and then read-only."""
    with troubles.small_disk(copied(asked.home, place / "small"), SPARE) as home:
        url, log = f"sqlite:///{home / 'startrail.db'}", asked.log or place / "log"
        with served(home, url, log, before=troubles.UNPRIVILEGED) as field:
            until(field.site.ready, STARTS, "a worker on a small disk")
            for name, fault in (("disk full", troubles.fill), ("home read-only", troubles.read_only)):
                if wanted(asked, name):
                    suffer(name, partial(fault, seconds=asked.trouble), field)


KILLED = ("server killed", "worker killed", "worker stopped", "two servers, four workers")


def meet(checks: list[Check], asked: argparse.Namespace, name: str, fault: Fault, field: Field) -> None:
    """One fault while people ask, and what became of everything."""
    people = field.people
    people.answers.clear()
    people.odd.clear()
    before = (field.site.process.pid, *field.site.workers())
    with people.at_it():
        wrong = fault(field)
        over, many = time.monotonic(), len(people.accepted)
        hope(lambda: len(people.accepted) > many, asked.patience, f"{name}: no question is taken any more")
    if not hope(lambda: not lost(field), asked.patience, f"{name}: not all is answered"):
        print(people.lost(), flush=True)
    waited = time.monotonic() - over
    said, after = dict(people.answers), (field.site.process.pid, *field.site.workers())
    print(f"{name}: {said}, {len(people.accepted)} accepted so far, well after {waited:.1f} s", flush=True)
    print("".join(f"  {each}\n" for each in people.odd[:5]), end="", flush=True)
    checks.append(Check(f"{name}: other answers", len(people.odd), "answers", 0, at_most=True))
    checks.append(Check(f"{name}: well after", waited, "s", 30, at_most=True))
    if wrong is not None:
        checks.append(Check(f"{name}: left half-written", wrong, "rows, files", 0, at_most=True))
    if name not in KILLED:
        checks.append(
            Check(f"{name}: processes ended", len({*before} - {*after}), "processes", 0, at_most=True)
        )


def hope(true: Callable[[], bool], seconds: float, otherwise: str) -> bool:
    """Whether it came to be; what is said where it did not."""
    try:
        until(true, seconds, otherwise)
    except TimeoutError as error:
        print(error, flush=True)
        return False
    return True


def lost(field: Field) -> bool:
    """Whether something is not answered yet, or cannot be asked about."""
    try:
        return bool(field.people.lost())
    except Exception:  # the database may be away for a moment longer
        return True


def lines_of(log: Path) -> list[str]:
    """What was said, each line with how often, numbers apart."""
    import re
    from collections import Counter

    counted = Counter(
        re.sub(r"\d[\d:.,-]*", "#", line.strip())[:160] for line in log.read_text().splitlines()
    )
    return [f"  {many:>5} × {line}" for line, many in counted.most_common(40) if line]


if __name__ == "__main__":
    main()
