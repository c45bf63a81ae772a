"""Results files of few prompts and of a million by `startrail import`: what the process holds at most, and what a file that is
known already takes.

    python benchmarks/import_memory.py [--prompts 10000,1000000] [--databases sqlite,postgresql] [--folder DIR]

Every prompt has one passage or two of a dozen words, of which a third were seen before. Each file goes into a database of its
own and then, under another run's name, into it again: all its prompts, answers and passages are there by then, and only the
run is new. Each import is a process of its own, with the tables made before.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

from _report import Check, finish, peak

from app.store.engine import migrate
from tests.support.databases import postgresql

BOUND = 1.5  # × what a hundredth of the file takes
HERE = Path(__file__).parent.parent


def make_file(path: Path, prompts: int) -> None:
    """A results file in the paper's format, the same each time."""
    random = Random(0)
    words = [f"word{number}" for number in range(3_000)]
    with path.open("w") as out:
        for number in range(prompts):
            ids = random.sample(range(number + 2), random.choice((1, 2))) if number % 3 == 0 else [number]
            record = {
                "example_id": f"fact:{number}",
                "query_set": "trex",
                "inputs_plaintext": f"Subject {number} was born in the city of:",
                "targets_plaintext": f"object {number % 997}",
                "proponents": [text(each, words) for each in ids],
                "proponent_ids": [f"c4:{each}" for each in ids],
                "proponent_scores": sorted((round(random.random(), 6) for _ in ids), reverse=True),
                "fact_id": f"f{number}",
                "relation": random.choice(("place of birth", "capital", "occupation")),
                "8b_generations": [f"object {number % 997}"],
                "8b_confidence": round(random.random(), 2),
                "is_8b_correct": random.random() < 0.5,
                "c4_frequency": random.randrange(100_000),
                "c4_frequency_bucket": random.randrange(6),
            }
            out.write(json.dumps(record) + "\n")


def text(number: int, words: list[str]) -> str:
    """The words of a passage, the same for the same number."""
    return f"Subject {number} " + " ".join(
        words[(number * 7919 + at * 104_729) % len(words)] for at in range(12)
    )


def imported(file: Path, url: str, run: str) -> dict[str, float]:
    """Seconds and MiB of one import by the command, in a process of its own."""
    began = time.monotonic()
    command = [sys.executable, __file__, "--import", str(file), run]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        cwd=HERE,
        env={**os.environ, "STARTRAIL_DATABASE_URL": url},
    )
    return {"peak": float(done.stdout.split()[-1]), "seconds": time.monotonic() - began}


def import_here(file: str, run: str) -> None:
    """What `startrail import` does; then the peak as the last word."""
    from app.cli.main import app

    app(["import", file, "--run", run], standalone_mode=False)
    print(peak())


def measured(database: str, files: dict[int, Path], folder: Path, server: Any) -> list[Check]:
    """All files on one database, each twice."""
    found: dict[int, tuple[dict[str, float], dict[str, float]]] = {}
    for prompts, file in files.items():
        url = f"sqlite:///{folder / f'{prompts}.db'}" if database == "sqlite" else server.lasting()
        migrate(url)
        found[prompts] = imported(file, url, "first"), imported(file, url, "again")
        for each, name in zip(found[prompts], ("first", "again"), strict=True):
            print(
                f"  {database}, {prompts:>9,} prompts, {name}: {each['peak']:>6.0f} MiB {each['seconds']:>7.1f} s",
                flush=True,
            )
    few, many = (found[each] for each in (min(files), max(files)))
    named = f"{database}, {max(files):,} prompts"
    return [
        Check(
            f"{named}: peak, first / of {min(files):,}", many[0]["peak"] / few[0]["peak"], "×", BOUND, True
        ),
        Check(
            f"{named}: peak, again / of {min(files):,}", many[1]["peak"] / few[1]["peak"], "×", BOUND, True
        ),
        Check(f"{named}: peak", max(each["peak"] for each in many), "MiB"),
        Check(f"{named}: again over the first time", many[1]["seconds"] / many[0]["seconds"], "×", 1.2, True),
    ]


def main() -> None:
    """Make the files, import each twice."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", default="10000,1000000")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--folder", type=Path, help="where files and databases are put; default: /tmp")
    parser.add_argument("--import", dest="given", nargs=2, metavar=("FILE", "RUN"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.given:
        return import_here(*asked.given)
    checks: list[Check] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=asked.folder)))
        files = {}
        for prompts in map(int, asked.prompts.split(",")):
            files[prompts] = folder / f"{prompts}.jsonl"
            make_file(files[prompts], prompts)
            print(f"{prompts:,} prompts, {files[prompts].stat().st_size / 1e6:,.0f} MB", flush=True)
        for database in asked.databases.split(","):
            server = stack.enter_context(postgresql()) if database == "postgresql" else None
            checks += measured(database, files, folder, server)
    finish("import_memory", checks)


if __name__ == "__main__":
    main()
