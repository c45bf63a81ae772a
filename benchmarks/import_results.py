"""Importing a results file, side by side with `sqlite-utils insert --nl` of the same file.

Both run in a process of their own, in turn, each time into an SQLite file without rows (ours has its tables). Two
kinds of file in the paper's format, with as many prompts as the paper has and ten proponents each, of which four in ten
were seen before: with web pages as long as C4's are on average (2.2 KB: 807 GB over 365 million documents), and with
sentences as short as T-REx's. The texts are made up by a rule.

`sqlite-utils` stores a line as one row of a table, texts and all; we take records apart, store each passage once and
link it. Two comparisons: until the run can be browsed (our transaction against `insert`), and until it can be searched
too (our whole command against `insert` and `enable-fts`).
"""

import json
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from random import Random
from statistics import median

from _report import Check, finish

from app.store.engine import migrate

PEER = "sqlite-utils==4.2.1"
ROUNDS = 3
KINDS = {"web pages of 2.2 KB": (5_400, 340), "sentences of 130 B": (5_400, 20)}  # prompts, words a passage
HERE = Path(__file__).parent

# The import as `startrail import` does it, with the moment at which the run can be browsed.
OURS = """
import gc, sys, time
from pathlib import Path
from app.interchange.results import import_results
from app.store.engine import open_store
store = open_store(f"sqlite:///{sys.argv[2]}")
gc.freeze()
with store.session() as session:
    import_results(session, Path(sys.argv[1]), run="benchmark")
    session.commit()
    print(time.time())
"""


def make_file(path: Path, prompts: int, words: int) -> None:
    """A results file in the paper's format, the same each time."""
    rng = Random(0)
    vocabulary = ["".join(rng.choices("aeioubcdfglmnprst", k=rng.randint(2, 10))) for _ in range(20_000)]
    weights = [1 / (rank + 10) for rank in range(len(vocabulary))]
    stream = rng.choices(vocabulary, weights, k=400_000)

    def text(length: int) -> str:
        start = rng.randrange(len(stream) - 2 * length - 1)
        return " ".join(stream[start : start + rng.randint(length // 2, length + length // 2)])

    passages = [text(words) for _ in range(6 * prompts)]
    with path.open("w") as out:
        for number in range(prompts):
            ids = [rng.randrange(len(passages)) for _ in range(10)]
            record = {
                "example_id": f"trex_groundtruth:{number:015d}",
                "query_set": "trex",
                "inputs_plaintext": f"{text(8)} was born in the city of:",
                "targets_plaintext": rng.choice(vocabulary),
                "proponents": [passages[each] for each in ids],
                "proponent_ids": [f"c4:{each}" for each in ids],
                "proponent_scores": sorted((round(rng.random(), 6) for _ in ids), reverse=True),
                "proponent_ais_scores": [round(rng.random(), 6) for _ in ids],
                "fact_id": f"f{number}",
                "relation": rng.choice(["place of birth", "capital", "occupation"]),
                "8b_generations": [rng.choice(vocabulary) for _ in range(20)],
                "8b_confidence": round(rng.random(), 2),
                "is_8b_correct": rng.random() < 0.5,
                "c4_frequency": rng.randrange(100_000),
                "c4_frequency_bucket": rng.randrange(6),
            }
            out.write(json.dumps(record) + "\n")


def peer(folder: Path) -> Path:
    """The peer's command, in an environment of its own."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", PEER], check=True)
    return folder / "bin" / "sqlite-utils"


def ours(file: Path, database: Path) -> tuple[float, float]:
    """Seconds until the run can be browsed, and until its words can be searched too."""
    migrate(f"sqlite:///{database}")
    begun = time.time()
    done = subprocess.run(
        [sys.executable, "-c", OURS, file, database],
        check=True,
        capture_output=True,
        text=True,
        cwd=HERE.parent,
    )
    return float(done.stdout.split()[-1]) - begun, time.time() - begun


def theirs(command: Path, file: Path, database: Path) -> tuple[float, float]:
    """Seconds for the rows, and for full-text search over the same texts too."""
    begun = time.time()
    subprocess.run([command, "insert", database, "results", file, "--nl", "--silent"], check=True)
    inserted = time.time() - begun
    columns = ["inputs_plaintext", "targets_plaintext", "proponents"]
    subprocess.run([command, "enable-fts", database, "results", *columns, "--fts5"], check=True)
    return inserted, time.time() - begun


def main() -> None:
    checks: list[Check] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        command = peer(folder / "peer")
        for kind, (prompts, words) in KINDS.items():
            file = folder / "results.jsonl"
            make_file(file, prompts, words)
            taken: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
            for turn in range(ROUNDS):
                taken["ours"].append(ours(file, folder / f"ours-{turn}.db"))
                taken["theirs"].append(theirs(command, file, folder / f"theirs-{turn}.db"))
                for path in folder.glob("*.db*"):
                    path.unlink()
            size = file.stat().st_size / 1e6
            print(f"\n{kind}: {prompts:,} prompts, {size:.0f} MB")
            for at, what in enumerate(("browsable", "searchable")):
                our, their = (median(times[at] for times in taken[who]) for who in ("ours", "theirs"))
                print(f"  {what:<12} startrail {our:6.2f} s   sqlite-utils {their:6.2f} s")
                checks.append(
                    Check(f"{kind}, {what}: sqlite-utils' time ÷ ours", their / our, "×", reach=1.0)
                )
    finish("import_results", checks)


if __name__ == "__main__":
    main()
