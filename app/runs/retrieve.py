"""One command's worth of a run: ask a method about every prompt, save what it found."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.runs.inputs import RunInputs
from app.runs.ranking.request import RankingRequest, check_method, rank
from app.runs.saving import OPPONENTS, PROPONENTS, PromptRanking, save_run
from app.runs.seed_agreement import keep
from app.store.tables import Run
from app.words.methods import method_label

Progress = Callable[[int, int], None]


def retrieve(
    session: Session,
    inputs: RunInputs,
    method: str,
    *,
    slug: str,
    k: int = PROPONENTS,
    opponents: int = OPPONENTS,
    kind: str = "",
    dense_model: Path | None = None,
    progress: Progress | None = None,
) -> Run:
    """Make a run of a method of the registry (`app.words.methods`).

    Args:
        slug: its name in addresses.
        kind: how rows are searched; empty for the index's own way.
        dense_model: directory of the sentence-transformers model that `dense` embeds with.

    Raises:
        UserError: as `check_method`, or a run of this name exists.
    """
    request = RankingRequest(
        session=session,
        inputs=inputs,
        method=check_method(method, dense_model, contrast=bool(inputs.contrasts)),
        k=k,
        opponents=opponents,
        search=kind,
        dense_model=dense_model,
        progress=progress or (lambda done, total: None),
    )
    rankings, about = rank(request)
    configuration = {"proponents": k, "opponents": opponents, **about, **inputs.about}
    run = save(session, inputs, rankings, method=method, slug=slug, configuration=configuration)
    told = {
        prompt.id: each.recurrence
        for prompt, each in zip(inputs.prompts, rankings, strict=True)
        if each.recurrence
    }
    if told:
        keep(session, run, told)
    return run


def save(
    session: Session,
    inputs: RunInputs,
    rankings: list[PromptRanking],
    *,
    method: str,
    slug: str,
    configuration: Mapping[str, Any],
    name: str = "",
) -> Run:
    """Save what a method found for these inputs as a run; `name` is the method's label where none is given."""
    suffix = "" if slug == method else f" ({slug})"
    return save_run(
        session,
        slug=slug,
        name=name or f"{method_label(method)}{suffix}",
        method=method,
        model=inputs.model,
        corpus=inputs.corpus,
        prompt_set=inputs.prompt_set,
        prompts=inputs.prompts,
        rankings=rankings,
        configuration=dict(configuration),
        index_name=inputs.index.path.name,
        explains=inputs.explains,
        contrasts=[other.completion if other else None for other in inputs.others],
    )
