"""Figures of judged prompts: which are counted, and why some are left out."""

import numpy as np
import pytest

from app.evaluation.figures import figures, without_date_lm
from app.evaluation.judged import Judged
from app.evaluation.metrics import Estimate, recall_at
from app.evaluation.report import task_figures
from app.evaluation.shares import Shares


def test_date_lms_figures_are_those_of_its_definition_over_whole_rankings() -> None:
    """Of scores for all passages: the share of those that state the fact within 50, and 1 / their first rank; the means."""
    rng = np.random.default_rng(7)
    prompts, recalls, firsts = [], [], []
    for n in range(30):
        scores, stating = rng.random(200), rng.choice(200, rng.integers(1, 9), replace=False)
        places = np.argsort(np.argsort(-scores))[stating] + 1
        recalls.append(np.mean(places <= 50))
        firsts.append(
            1 / places.min() if places.min() <= 60 else 0
        )  # what the run does not keep is not known
        kept = np.isin(np.argsort(-scores)[:60], stating).tolist()
        prompts.append(judged(n, kept, len(stating)))
    found = found_of(prompts)
    assert found["date_lm_recall"].mean == pytest.approx(np.mean(recalls))
    assert found["date_lm_mrr"].mean == pytest.approx(np.mean(firsts))
    assert found["date_lm_recall"].mean != pytest.approx(np.mean([recall_at(p.correct, 50) for p in prompts]))
    assert reason(prompts) == ""


def test_date_lms_figures_are_left_out_with_a_reason() -> None:
    """Of lists too short, and where nobody knows how many passages state a fact; a prompt that none states is not counted."""
    short = [judged(1, [True] * 49, 60)]
    assert "date_lm_recall" not in found_of(short)
    assert "it keeps 49 passages" in reason(short)
    unknown = [judged(1, [True] * 50, 50, counted=False)]
    assert "date_lm_mrr" not in found_of(unknown)
    assert "of none of its prompts" in reason(unknown)
    # A list that ends early, in a run that keeps enough, found no more.
    early = [judged(1, [False, True], 4), judged(2, [False] * 50, 0, counted=False)]
    assert found_of(early)["date_lm_recall"].mean == 0.25
    assert found_of(early)["date_lm_mrr"].count == 1
    assert "keeps 0" in reason([])


def judged(n: int, correct: list[bool], relevant: int, *, counted: bool = True) -> Judged:
    return Judged(n, "fact", judgeable=True, correct=correct, relevant=relevant, counted=counted)


def found_of(prompts: list[Judged]) -> dict[str, Estimate]:
    shares = Shares.of(prompts)
    return figures(shares, shares.rows("fact"))


def reason(prompts: list[Judged]) -> str:
    shares = Shares.of(prompts)
    return without_date_lm(shares, shares.rows("fact"))


def test_a_relation_without_a_name_is_no_part() -> None:
    """A file may say "relation": "": the address of its prompts could not name it and led to all of them."""
    prompts = [Judged(n, "fact", relation=r) for n, r in enumerate(("", None, "P36"))]
    parts = task_figures(Shares.of(prompts), "fact")["slices"]["relation"]
    assert list(parts) == ["P36"]
