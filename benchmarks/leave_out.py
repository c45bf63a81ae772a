"""What a method's passages were worth: train the model again without them, and see how far the targets fall.

    python benchmarks/leave_out.py --work DIR [--home startrail-home] [--runs trackstar,bm25] [--prompts 6] [--top 10]

A handful of prompts about facts of different relations that the model answers right. The model is trained again from
the same seed and settings (its `training.json`): once on everything, once for each run without the first passages
that it names for these prompts, and without as many drawn at random. The passages of all prompts are left out in one
training, because they are about different things and one training of the demo takes minutes; what each method costs
the other prompts that the model answers right is shown beside it. Every training is saved as a line of
DIR/trainings.jsonl when it is done, and never done again.
"""

import argparse
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

import torch
from _report import Check, finish
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cli.progress import bar
from app.demo.pretrain import PretrainConfig, pretrain
from app.errors import UserError
from app.models.load import load_model
from app.models.text import Query
from app.settings import Settings
from app.store.corpora import stream_passages
from app.store.engine import open_store
from app.store.models import find_checkpoint
from app.store.runs import get_run
from app.store.tables import Output, Passage, Prompt, Result, Retrieved, Run
from app.tracing.probabilities import completions

NOTHING, RANDOM = "nothing", "random passages"
OTHERS = 100  # prompts that should not suffer


@dataclass(frozen=True)
class Plan:
    """What is asked, and what each training leaves out (passages' ids in the corpus's files)."""

    prompts: list[Prompt]
    others: list[Prompt]
    texts: list[tuple[str, str]]  # (id, text), in the corpus's order
    left_out: dict[str, list[str]]
    config: PretrainConfig
    corpus: str | None  # its SHA-256
    model: Path
    threads: int


def main() -> None:
    asked = arguments()
    settings = Settings(home=asked.home.resolve(), device="cpu")
    store = open_store(settings.url)
    with store.session() as session:
        plan = make_plan(session, asked, settings.models)
    torch.set_num_threads(plan.threads)
    print(
        f"{len(plan.prompts)} prompts, {asked.top} passages each; {len(plan.texts):,} passages,"
        f" {plan.config.epochs} epochs, {plan.threads} threads. The passages of all prompts are left out together:"
        f" {len(plan.left_out)} trainings.\n"
    )
    done = trainings(plan, asked.work)
    shipped = probabilities(plan.model, [*plan.prompts, *plan.others])
    report(plan, done, shipped)


def make_plan(session: Session, asked: argparse.Namespace, models: Path) -> Plan:
    """Choose the prompts, and read what the runs name for them; `models` is where checkpoints are kept."""
    runs = [get_run(session, slug) for slug in asked.runs.split(",")]
    first = runs[0]
    for run in runs:
        if (run.prompt_set_id, run.corpus_id) != (first.prompt_set_id, first.corpus_id):
            raise UserError(
                f"“{run.slug}” is over other prompts or another corpus than “{first.slug}”.",
                remedy="Give runs over the same prompts and corpus.",
            )
    prompts, others = choose(session, first, asked.prompts, asked.seed)
    texts = [(external, text) for _, external, text in stream_passages(session, first.corpus_id)]
    left_out = {run.slug: named(session, run, prompts, asked.top) for run in runs}
    most = max(map(len, left_out.values()))
    drawn = Random(asked.seed).sample([external for external, _ in texts], most)
    model = find_checkpoint(first.model, models)
    if model is None or not (model / "training.json").is_file():
        raise UserError(
            f"The model “{first.model.name}” does not say how it was trained.",
            file=(model or models / first.model.name) / "training.json",
            remedy="Give runs of a model that `startrail demo` or `startrail pretrain` made.",
        )
    training = json.loads((model / "training.json").read_text())
    config = PretrainConfig(**training["config"])
    return Plan(
        prompts=prompts,
        others=others,
        texts=texts,
        left_out={NOTHING: [], **left_out, RANDOM: drawn},
        config=replace(config, epochs=asked.epochs or config.epochs),
        corpus=first.corpus.sha256,
        model=model,
        threads=training["threads"],
    )


def choose(session: Session, run: Run, count: int, seed: int) -> tuple[list[Prompt], list[Prompt]]:
    """Facts that the model answers right, each stated a few times, no two of one relation while there are others;
    and other facts it answers right."""
    query = (
        select(Prompt)
        .join(Output, Output.prompt_id == Prompt.id)
        .where(Prompt.prompt_set_id == run.prompt_set_id, Prompt.task == "fact")
        .where(Output.model_id == run.model_id, Output.correct.is_(True))
        .order_by(Prompt.position)
    )
    right = list(session.scalars(query))
    Random(seed).shuffle(right)
    few = [prompt for prompt in right if 2 <= (prompt.frequency or 0) <= 8]
    by_relation: dict[str | None, list[Prompt]] = {}
    for prompt in few:
        by_relation.setdefault(prompt.relation, []).append(prompt)
    turns = [own[turn] for turn in range(len(few)) for own in by_relation.values() if turn < len(own)]
    chosen = turns[:count]
    if len(chosen) < count:
        raise UserError(
            f"There are {len(chosen)} facts that the model answers right and that 2 to 8 passages state.",
            field="prompts",
            remedy=f"Give --prompts {len(chosen)} or less."
            if chosen
            else "Give runs of a model that knows facts.",
        )
    return chosen, [prompt for prompt in right if prompt not in chosen][:OTHERS]


def named(session: Session, run: Run, prompts: Iterable[Prompt], top: int) -> list[str]:
    """The first passages of the run for all the prompts, each once."""
    query = (
        select(Passage.external_id)
        .join(Retrieved, Retrieved.passage_id == Passage.id)
        .join(Result, Result.id == Retrieved.result_id)
        .where(Result.run_id == run.id, Result.prompt_id.in_([prompt.id for prompt in prompts]))
        .where(Retrieved.side == "proponent", Retrieved.rank <= top)
        .order_by(Result.position, Retrieved.rank)
    )
    return list(dict.fromkeys(session.scalars(query)))


def trainings(plan: Plan, work: Path) -> dict[str, dict[str, Any]]:
    """Train once for each thing left out; what an earlier call saved is read instead."""
    work.mkdir(parents=True, exist_ok=True)
    file = work / "trainings.jsonl"
    saved = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done: dict[str, dict[str, Any]] = {}
    for name, passages in plan.left_out.items():
        wanted = {
            "left_out": passages,
            "config": asdict(plan.config),
            "corpus": plan.corpus,
            "prompts": [prompt.external_id for prompt in (*plan.prompts, *plan.others)],
        }
        known = next((each for each in saved if {key: each[key] for key in wanted} == wanted), None)
        if known is None:
            started = time.monotonic()
            found = without(plan, set(passages), work, name)
            known = {"name": name, **wanted, "probabilities": found, "seconds": time.monotonic() - started}
            with file.open("a") as out:
                out.write(json.dumps(known) + "\n")
            print(f"  without {name}: {known['seconds']:,.0f} s")
        else:
            print(f"  without {name}: saved before")
        done[name] = known
    return done


def without(plan: Plan, left_out: set[str], work: Path, name: str) -> dict[str, float]:
    """Train without these passages; the probability of every prompt's target afterwards."""
    out = work / "model"
    shutil.rmtree(out, ignore_errors=True)
    with bar(f"Without {name}"[:34]) as step:
        pretrain(
            [text for external, text in plan.texts if external not in left_out],
            out,
            plan.config,
            progress=lambda done, total, tokens, loss, rate: step(done, total),
        )
    found = probabilities(out, [*plan.prompts, *plan.others])
    shutil.rmtree(out)
    return found


def probabilities(model: Path, prompts: Sequence[Prompt]) -> dict[str, float]:
    """The probability of each prompt's target, by the prompt's id."""
    said = completions(
        load_model(model, device="cpu"), [Query.of_target(each.text, each.target) for each in prompts]
    )
    return {prompt.external_id: one.probability for prompt, one in zip(prompts, said, strict=True)}


def report(plan: Plan, done: dict[str, dict[str, Any]], shipped: dict[str, float]) -> None:
    """Print the falls in percentage points, prompt by prompt, and the checks."""
    base = done[NOTHING]["probabilities"]
    names = [name for name in done if name != NOTHING]
    own, others = ([each.external_id for each in group] for group in (plan.prompts, plan.others))

    def fall(name: str, ids: Sequence[str]) -> float:
        return 100 * mean(base[id_] - done[name]["probabilities"][id_] for id_ in ids) if ids else 0.0

    print(
        f"\n{'The target’s probability, %':<58}{'trained on all':>15}"
        + "".join(f"{'−' + n:>20}" for n in names)
    )
    for prompt in plan.prompts:
        id_ = prompt.external_id
        head = f"{prompt.text} [{prompt.target}]"[:57]
        after = "".join(f"{100 * done[name]['probabilities'][id_]:>20.2f}" for name in names)
        print(f"{head:<58}{100 * base[id_]:>15.2f}{after}")
    left = "".join(f"{len(plan.left_out[name]):>20,}" for name in names)
    print(f"{'passages left out':<58}{0:>15}{left}")
    apart = max((abs(base[id_] - shipped[id_]) for id_ in base), default=0.0)
    print(
        f"\nTrained again on everything, no probability is further from the model's than {100 * apart:.2f} points."
    )
    checks = [Check(f"fall without {name}: mean of the prompts", fall(name, own), "points") for name in names]
    checks += [Check(f"fall without {name}: other prompts", fall(name, others), "points") for name in names]
    finish("leave_out", checks)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=Path("startrail-home"), help="with the demo built in it")
    parser.add_argument(
        "--runs", default="trackstar,bm25", help="whose passages are left out, one after another"
    )
    parser.add_argument("--prompts", type=int, default=6, help="how many facts are asked about")
    parser.add_argument("--top", type=int, default=10, help="passages left out for each")
    parser.add_argument("--epochs", type=int, default=0, help="default: as the model was trained")
    parser.add_argument("--seed", type=int, default=0, help="of the prompts and the random passages")
    parser.add_argument(
        "--work", type=Path, required=True, help="where trainings are saved; give it again to go on"
    )
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
