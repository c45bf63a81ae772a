"""Does influence come closer to attribution as models grow and as they learn? The same evaluation over several models.

    python benchmarks/scaling.py [--home startrail-home] [--sizes 64,128,256] [--checkpoints 3] [--limit 100]

Runs the commands it prints, those whose result is there already left out, so that it can be stopped: pretrains a model
of each width on the corpus, the widest with checkpoints; indexes the corpus with each model; asks TrackStar, BM25 and
random passages about every prompt; evaluates all, with tail-patch. /evaluation of that home shows the curves.
"""

import argparse
import json
import os
import shlex
from pathlib import Path
from typing import Any

from _report import Check, finish
from sqlalchemy import select

from app.cli.main import app
from app.errors import UserError
from app.evaluation.curves import checkpoint_of, short_count
from app.settings import Settings, get_settings
from app.store.engine import Store, open_store
from app.store.tables import Model, Run

METHODS = ("trackstar", "bm25", "random")


def main() -> None:
    asked = arguments()
    os.environ["STARTRAIL_HOME"] = str(asked.home.resolve())
    settings = get_settings()
    store = open_store(settings.url, migrate=True)
    models = [name for width in sorted(asked.sizes) for name in trained(settings, asked, width)]
    runs = [run for model in models for run in asked_of(settings, store, asked, model)]
    file = settings.home / "scaling.json"
    command(
        "evaluate", "--runs", ",".join(runs), "--tail-patch", "10", "--limit", asked.limit, "--json", file
    )
    report(store, models, json.loads(file.read_text(encoding="utf-8")))


def trained(settings: Settings, asked: argparse.Namespace, width: int) -> list[str]:
    """The checkpoints of the model of this width, where it keeps some, and the model itself last."""
    name = f"{asked.corpus}-w{width}"
    if not (settings.models / name).exists():
        sizes = {"hidden-size": width, "intermediate-size": 11 * width // 4, "layers": asked.layers}
        options = {
            "epochs": asked.epochs,
            "vocab-size": asked.vocab_size,
            "max-length": asked.max_length,
            **sizes,
        }
        options["checkpoints"] = asked.checkpoints if width == max(asked.sizes) else 0
        flags = [part for key, value in options.items() for part in (f"--{key}", value)]
        command("pretrain", asked.corpus, "--name", name, *flags)
    steps = [
        (step, path.name)
        for path in settings.models.glob(f"{name}-step-*")
        if (step := checkpoint_of(path.name)[1])
    ]
    return [*(each for _, each in sorted(steps)), name]


def asked_of(settings: Settings, store: Store, asked: argparse.Namespace, model: str) -> list[str]:
    """The runs of every method over the prompts with this model."""
    if not (settings.indexes / model / "manifest.json").is_file():
        command("index", model, asked.corpus, "--name", model, "--projection-dim", asked.projection_dim)
    runs = []
    for method in METHODS:
        run = f"{model}-{method}"
        with store.session() as session:
            known = session.scalar(select(Run.id).where(Run.slug == run)) is not None
        if not known:
            command("retrieve", model, "--prompts", asked.prompts, "--method", method, "--run", run)
        runs.append(run)
    return runs


def command(*words: object) -> None:
    """Run one of startrail's commands, and say which."""
    given = [str(word) for word in words]
    print(f"$ startrail {shlex.join(given)}", flush=True)
    if code := app(given, standalone_mode=False):
        raise SystemExit(code)


def report(store: Store, models: list[str], figures: dict[str, Any]) -> None:
    """A table of models against measures, and the checks."""
    with store.session() as session:
        sizes = dict(session.execute(select(Model.name, Model.parameters)).tuples().all())
    columns = [("trackstar", "mrr"), *((method, "tail_patch_10") for method in METHODS)]
    print(f"\n{'model':<26}{'parameters':>11}" + "".join(f"{m} {n}".rjust(26) for m, n in columns))
    checks = []
    for model in models:
        row = f"{model:<26}{short_count(sizes[model] or 0):>11}"
        for method, measure in columns:
            found = figures[f"{model}-{method}"]["tasks"]["fact"]["overall"].get(measure)
            said = f"{found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}]" if found else "–"
            row += said.rjust(26)
            if found:
                unit = "points" if measure.startswith("tail") else ""
                checks.append(Check(f"{model}: {measure} of {method}", found["mean"], unit))
        print(row)
    finish("scaling", checks)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=Path("startrail-home"), help="with the demo built in it")
    parser.add_argument("--corpus", default="demo")
    parser.add_argument("--prompts", default="demo", help="the prompt set")
    parser.add_argument(
        "--sizes", type=widths, default=[64, 128, 256], help="widths of the models, multiples of 8"
    )
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--checkpoints", type=int, default=3, help="of the widest model's training")
    parser.add_argument("--projection-dim", type=int, default=32)
    parser.add_argument("--limit", type=int, default=100, help="prompts that tail-patch is measured for")
    return parser.parse_args()


def widths(text: str) -> list[int]:
    """`64,128` as numbers."""
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
