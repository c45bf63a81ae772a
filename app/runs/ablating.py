"""The paper's table over one prompt set: every variant of the method, the baselines and controls, as far as they are missing."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from sqlalchemy import select

from app.evaluation.standing import standings
from app.runs.ablate import ablate, already_made, families_of, paper_variants, run_slug
from app.runs.answers import ensure_answers
from app.runs.inputs import open_inputs
from app.runs.ranking.request import check_method
from app.runs.retrieve import retrieve
from app.runs.retrieving import RetrievedSet
from app.runs.saving import PROPONENTS
from app.runs.sweeps import damping_variants, dimension_variants, mixing_variants, seed_variants
from app.settings import Settings
from app.showing import Bar, unseen
from app.store.engine import Store, open_store
from app.store.tables import Run
from app.trackstar.config import EncodingConfig
from app.trackstar.sampling import sample_size, shortfall, too_few
from app.words.method import BASELINES
from app.words.methods import method_label, rankers

TITLE = 34  # characters of what is being done that a bar has room for


def ablate_set(
    settings: Settings,
    store: Store | None,
    index: str,
    prompts: str,
    *,
    prefix: str = "",
    lambdas: Sequence[float] = (),
    dimensions: Sequence[int] = (),
    dampings: Sequence[float] = (),
    seeds: Sequence[int] = (),
    baselines: bool = True,
    k: int = PROPONENTS,
    dense_model: Path | None = None,
    tell: Callable[[str], object] = lambda line: None,
    bar: Bar = unseen,
) -> RetrievedSet:
    """Make the runs that are missing: work that was stopped goes on.

    Args:
        store: as `app.runs.retrieving.retrieve_set`.
        prefix: before the runs' names; empty: INDEX- (and the prompt set).
        lambdas: also TrackStar with the task's Hessian at these λ.
        dimensions, dampings, seeds: also TrackStar with R_train at each d, damping of R, and seed of the projection; what
            is the index's own is `WHITENED` and not made twice.
        baselines: also the methods by words and meaning, and the controls.
        dense_model: as `app.runs.retrieving.retrieve_set`; where there is none, `dense` is left out.
        tell: hears, before the work begins, of each R that has too few passages to be fitted on.

    Raises:
        UserError: a name is unknown, or the model lacks what a variant needs.
    """
    dense_model = dense_model or settings.dense_model
    wanted = [each.name for each in rankers(BASELINES) if dense_model or "dense model" not in each.needs]
    for name in wanted if baselines else ():
        check_method(name, dense_model)
    prefix = prefix or (f"{index}-" if index == prompts else f"{index}-{prompts}-")
    with nullcontext(store) if store else open_store(settings.url, migrate=True) as store:
        with store.session() as session:
            inputs = open_inputs(session, settings, index, prompts)
            with bar("Answering prompts") as step:
                ensure_answers(session, inputs, step)
            base = inputs.index.manifest.method
            variants = (
                paper_variants(base) | mixing_variants(base, lambdas) | dimension_variants(base, dimensions)
            )
            variants |= damping_variants(base, dampings) | seed_variants(base, seeds)
            missing = {
                name: method
                for name, method in variants.items()
                if not already_made(session, inputs, name, run_slug(prefix, name))
            }
            for line in thin(missing, inputs.corpus.passage_count):
                tell(line)
            absent = [name for name in wanted if baselines and not already_made(session, inputs, name)]
        made = []
        for name in absent:
            with store.session() as session, bar(f"Retrieving by {name}") as step:
                taken = session.scalar(select(Run.id).where(Run.slug == name)) is not None
                slug = run_slug(prefix, name) if taken else name
                made.append(
                    retrieve(session, inputs, name, slug=slug, k=k, dense_model=dense_model, progress=step)
                )
        for family in families_of(missing):
            with store.session() as session, bar(f"Passages for {', '.join(family)}"[:TITLE]) as step:
                made += ablate(session, inputs, family, prefix=prefix, k=k, progress=step)
        with store.session() as session:
            return RetrievedSet(
                [each.slug for each in made], standings(session, made), list(inputs.left_out.items())
            )


def thin(variants: Mapping[str, EncodingConfig], passages: int) -> list[str]:
    """One line for each size of block that R of a corpus so large would have too few passages for."""
    short: dict[str, list[str]] = {}
    for name, method in variants.items():
        drawn = min(passages, sample_size(method))
        if method.hessian != "none" and too_few(drawn, method.block_size):
            short.setdefault(shortfall(method, drawn), []).append(method_label(name))
    return [
        f"{said}, of {'; '.join(names)}: what it whitens is noise in part." for said, names in short.items()
    ]
