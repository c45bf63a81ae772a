"""An outcome of leaving out with a truth that is known: margins follow the first method's sums, with noise."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from app.demo.pretrain import PretrainConfig
from app.store.engine import Store
from app.store.tables import Corpus, Passage, Prompt
from app.truth.outcome import Outcome, write_outcome

PROMPTS = 12
RELATIONS = ("capital", "currency")


def outcome(trainings: int, *, noise: float = 0.3) -> Outcome:
    """EK-FAC foretells it, BM25 half, random passages not at all."""
    rng = np.random.default_rng(7)
    truth, other, chance = (rng.normal(size=(trainings, PROMPTS)) for _ in range(3))
    measured = np.round(truth + noise * rng.normal(size=truth.shape), 4)
    return Outcome(
        about={
            "command": "startrail truth",
            "passages": 1000,
            "share": 0.5,
            "first": 100,
            "seed": 0,
            "parameters": 4321,
        },
        prompts=[
            {"id": f"fact-{at}", "text": "The capital is", "target": "Oslo", "relation": RELATIONS[at % 2]}
            for at in range(PROMPTS)
        ],
        everything=np.zeros(PROMPTS),
        trainings=[{"name": f"part-{at:04d}", "kept_sha256": "0" * 64} for at in range(trainings)],
        measured=measured,
        by_first={"ekfac": truth, "bm25": truth + other},
        predicted={"random": chance, "ekfac": truth, "bm25": truth + 2 * other},
        without=[
            {"method": "ekfac", "prompts": [0, 3], "margins": [-2.0, -1.0]},
            {"method": "random", "prompts": [0, 3], "margins": [0.1, -0.1]},
        ],
    )


SLOPE, SCATTER = 0.5, 0.2  # of log p by unit of influence; standard deviation about it


def ticked(groups: int) -> list[dict[str, Any]]:
    """Small groups whose sums are worth `SLOPE`, up to noise."""
    rng = np.random.default_rng(11)
    sums = rng.exponential(2.0, size=groups)
    return [
        {
            "training": f"ticked-{at % 4:02d}",
            "prompt": at % PROMPTS,
            "passages": 1 + at % 20,
            "left_out": 200,
            "predicted": float(total),
            "measured": float(-SLOPE * total + SCATTER * rng.normal()),
        }
        for at, total in enumerate(sums)
    ]


def keep_outcome(store: Store, home: Path, shape: PretrainConfig) -> dict[str, Any]:
    """An outcome of the store's first corpus, called `small`, by models of this shape; of its twelve prompts the first is the
    store's first. What of the store it names: ids of six passages, of which the first two have influence on that prompt.
    """
    with store.session() as session:
        corpus = session.scalars(select(Corpus).order_by(Corpus.id)).first()
        assert corpus is not None
        passages = session.scalars(
            select(Passage).where(Passage.corpus_id == corpus.id).order_by(Passage.position).limit(6)
        ).all()
        prompt = session.scalars(select(Prompt).order_by(Prompt.id)).first()
        assert prompt is not None
        corpus.sha256 = corpus.sha256 or "c0ffee"
        known = {
            "ids": [each.id for each in passages],
            "external": [each.external_id for each in passages],
            "prompt": prompt.external_id,
            "corpus": corpus.name,
        }
        made = outcome(20)
        about = {**made.about, "corpus_sha256": corpus.sha256, "only": "", "config": asdict(shape)}
        first = {
            "id": prompt.external_id,
            "text": prompt.text,
            "target": prompt.target,
            "relation": "capital",
        }
    kept = {
        "method": "trackstar+ekfac",
        "passages": [known["external"][:2], *([[]] * (PROMPTS - 1))],
        "scores": [[3.0, 1.0], *([[]] * (PROMPTS - 1))],
    }
    prompts = [first, *made.prompts[1:]]
    write_outcome(
        replace(made, about=about, prompts=prompts, influences=kept, ticked=ticked(60)),
        home / "truth" / "small.json.gz",
    )
    return known
