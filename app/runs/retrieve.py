"""One command's worth of a run: ask a method about every prompt, save what it found."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict, Unpack

from sqlalchemy.orm import Session

from app.errors import UserError
from app.runs.inputs import RunInputs, alone, contrasting, explaining, otherwise
from app.runs.ranking.request import RankingRequest, check_method, rank
from app.runs.saving import OPPONENTS, PROPONENTS, PromptRanking, save_run
from app.runs.seed_agreement import keep
from app.store.tables import Run
from app.words.answers import BOTH, EXPLAINS, SAID, TARGET
from app.words.choices import CHOICES
from app.words.methods import method_label

Progress = Callable[[int, int], None]


class How(TypedDict, total=False):
    """Options of `retrieve` that are the same for every run made with it."""

    k: int
    opponents: int
    kind: str
    dense_model: Path | None
    progress: Progress | None


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

    A method that cannot rank by a contrast searches for what was said by itself.

    Args:
        slug: its name in addresses.
        kind: how rows are searched; empty for the index's own way.
        dense_model: directory of the sentence-transformers model that `dense` embeds with.

    Raises:
        UserError: as `check_method`, or a run of this name exists.
    """
    known = check_method(method, dense_model, contrast=inputs.contrast == CHOICES)
    if not known.contrasts:
        inputs = alone(inputs)
    request = RankingRequest(
        session=session,
        inputs=inputs,
        method=known,
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


def explain(
    session: Session,
    inputs: RunInputs,
    method: str,
    explains: str,
    *,
    slug: str,
    contrast: bool = False,
    **how: Unpack[How],
) -> list[Run]:
    """The runs that explain what was asked for; the model's answers must be known (`ensure_answers`).

    Args:
        inputs: as they were opened, of targets.
        explains: `target`, `said`, or `both`: a run of the targets and, named after it, one of what the model said to
            those prompts to which that was something else, where there are any.
        contrast: of prompts with choices, why the one explained and not the likeliest other one.

    Raises:
        UserError: as `retrieve`, `checked_explain` or `contrasting`.
    """

    both = checked_explain(explains) == BOTH
    asked = explaining(session, inputs, TARGET if both else explains)
    asked = contrasting(session, asked) if contrast else asked
    made = retrieve(session, asked, method, slug=slug, **how)
    said = explain_beside(session, inputs, made, contrast=contrast, **how) if both else None
    return [made, said] if said else [made]


def explain_beside(
    session: Session, inputs: RunInputs, targets: Run, *, contrast: bool = False, **how: Unpack[How]
) -> Run | None:
    """Beside a run of targets, one of what the model said where that was something else; None where it never was.

    Args:
        inputs: of the run of targets. contrast: as in `explain`.

    Raises:
        UserError: as `retrieve`.
    """
    asked = otherwise(session, inputs)
    if asked is None:
        return None
    asked = contrasting(session, asked) if contrast else asked
    said = retrieve(session, asked, targets.method, slug=f"{targets.slug}-{SAID}", **how)
    said.name, said.beside_id = f"{targets.name}, what was said", targets.id
    return said


def checked_explain(explains: str) -> str:
    """What is to be explained.

    Raises:
        UserError: it is none of `EXPLAINS` nor `both`.
    """
    if explains not in (*EXPLAINS, BOTH):
        raise UserError(
            f"A run explains what was said or the target, not “{explains}”.",
            field="explain",
            remedy=f"Use {', '.join(EXPLAINS)} or {BOTH}.",
        )
    return explains


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
        index_name=inputs.opened.index.path.name if inputs.opened else None,
        explains=inputs.explains,
        contrasts=[other.completion if other else None for other in inputs.others],
    )
