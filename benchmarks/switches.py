"""Which of its switches makes the TRAK-style baseline what it is? From TrackStar to TRAK-style, one switch at a time, and
the paper's third output function, the logit, beside the other two.

    python benchmarks/switches.py [--home startrail-home] [--index demo] [--prompts demo] [--limit 200]

The two differ in three things: V, the unit norm, and the function of the output that is differentiated (the summed
cross-entropy or the margin). Makes a run of each step between them, where it is not there yet, and evaluates all with tail-patch.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

from _report import Check, finish
from sqlalchemy import select

from app.cli.main import app
from app.cli.progress import bar
from app.errors import UserError
from app.runs.ablate import ablate, families_of, run_slug
from app.runs.inputs import open_inputs
from app.settings import get_settings
from app.store.engine import open_store
from app.store.tables import Run
from app.trackstar.config import EncodingConfig

SWITCHES = {
    "trackstar": {},
    "margin": {"loss": "margin"},
    "logit": {"loss": "logit"},
    "no-v": {"second_moments": "none"},
    "margin-no-v": {"loss": "margin", "second_moments": "none"},
    "no-v-no-norm": {"second_moments": "none", "unit_norm": False},
    "trak": {"loss": "margin", "second_moments": "none", "unit_norm": False},
}
"""What is changed in TrackStar with λ = 0; `trak` is the TRAK-style baseline."""
MEASURES = ("mrr", "recall_at_10", "tail_patch_1", "tail_patch_10")


def main() -> None:
    asked = arguments()
    os.environ["STARTRAIL_HOME"] = str(asked.home.resolve())
    settings = get_settings()
    store = open_store(settings.url, migrate=True)
    prefix = f"{asked.index}-switch-"
    with store.session() as session:
        task = open_inputs(session, settings, asked.index, asked.prompts)
        base = EncodingConfig.preset("+V+R_train", **projection(task.index.manifest.method))
        known = set(session.scalars(select(Run.slug)))
    missing = {
        name: replace(base, **changes)  # type: ignore[arg-type]  # of several types, each its field's own
        for name, changes in SWITCHES.items()
        if run_slug(prefix, name) not in known
    }
    for family in families_of(missing):
        with store.session() as session, bar(f"Passages for {', '.join(family)}"[:34]) as step:
            ablate(session, task, family, prefix=prefix, progress=step)
    runs = {name: run_slug(prefix, name) for name in SWITCHES}
    file = settings.home / "switches.json"
    given = ["evaluate", "--runs", ",".join(runs.values()), "--tail-patch", "10"]
    app([*given, "--limit", str(asked.limit), "--json", str(file)], standalone_mode=False)
    figures = json.loads(file.read_text(encoding="utf-8"))
    checks = []
    for name, slug in runs.items():
        found = figures[slug]["tasks"]["fact"]["overall"]
        checks += [Check(f"{name}: {measure}", found[measure]["mean"], "") for measure in MEASURES]
    finish("switches", checks)


def projection(method: EncodingConfig) -> dict[str, object]:
    """What all variants share with the index."""
    return {name: getattr(method, name) for name in ("groups", "projection_dim", "seed", "damping")}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=Path("startrail-home"), help="with the demo built in it")
    parser.add_argument("--index", default="demo")
    parser.add_argument("--prompts", default="demo", help="the prompt set")
    parser.add_argument("--limit", type=int, default=200, help="prompts that tail-patch is measured for")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
