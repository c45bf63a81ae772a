"""What it costs that a large import lets others write meanwhile: in steps, and in one transaction, on SQLite, in turn.

    python benchmarks/import_steps.py --rounds 5

Processor time of the process, all of it, until the file's words can be searched: a busy machine changes it less than clocks.
The files are those of `import_results`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from _report import Check, finish
from import_results import HERE, KINDS, make_file

from app.store.engine import migrate

IMPORT = """
import gc, os, sys
from pathlib import Path
from app.interchange.results import import_results
from app.store.arriving import Arrival, arrival
from app.store.engine import open_store
store = open_store(f"sqlite:///{sys.argv[2]}")
gc.freeze()
with store.session() if sys.argv[3] == "whole" else arrival(store) as opened:
    arrives = Arrival(opened) if sys.argv[3] == "whole" else opened
    import_results(arrives.session, Path(sys.argv[1]), run="benchmark", arrival=arrives)
store.close()
"""
WAYS = ("whole", "in steps")


def processor_seconds(file: Path, database: Path, way: str) -> float:
    """Of one import, its modules and the search index included."""
    migrate(f"sqlite:///{database}")
    before = os.times()
    subprocess.run([sys.executable, "-c", IMPORT, file, database, way], check=True, cwd=HERE.parent)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    """Both files, both ways."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    checks = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for kind, (prompts, words) in KINDS.items():
            file = folder / "results.jsonl"
            make_file(file, prompts, words)
            taken: dict[str, list[float]] = {way: [] for way in WAYS}
            for turn in range(rounds):
                for way in WAYS:
                    taken[way].append(processor_seconds(file, folder / f"{turn}.db", way))
                    for path in folder.glob("*.db*"):
                        path.unlink()
            for way in WAYS:
                told = ", ".join(f"{each:.2f}" for each in sorted(taken[way]))
                print(f"{kind}, {way:<8} {median(taken[way]):6.2f} s of the processor ({told})", flush=True)
            ratio = median(taken["in steps"]) / median(taken["whole"])
            checks.append(Check(f"{kind}: in steps ÷ in one transaction", ratio, "×"))
    finish("import_steps", checks)


if __name__ == "__main__":
    main()
