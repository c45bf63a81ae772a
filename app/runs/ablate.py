"""The paper's ablations over one prompt set: every variant of the method, from one pass over the corpus a family."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.runs.inputs import RunInputs
from app.runs.ranking.variants import rank_family, read_texts, variant
from app.runs.retrieve import save
from app.runs.saving import OPPONENTS, PROPONENTS
from app.store.naming import slugify
from app.store.tables import Run
from app.trackstar.config import EncodingConfig
from app.words.methods import METHODS, TRACKSTAR, encodings, method_label

Progress = Callable[[int, int], None]


def paper_variants(base: EncodingConfig) -> dict[str, EncodingConfig]:
    """Every method by gradients with the projection of `base`, by name: the rows of the paper's Table 1."""
    return {name: variant(base, name) for name in encodings()}


def run_slug(prefix: str, variant: str) -> str:
    """The name in URLs of the run that `ablate` makes of a variant."""
    return slugify(prefix + variant.removeprefix("+").replace("+", "-").replace("_", "-"))


def ablate(
    session: Session,
    inputs: RunInputs,
    variants: Mapping[str, EncodingConfig],
    *,
    prefix: str = "",
    k: int = PROPONENTS,
    opponents: int = OPPONENTS,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Run]:
    """Make one run for each variant, named `prefix` + its name.

    R_eval of mixed variants comes from the queries about facts; the queries of other tasks are whitened by R_train
    alone, as in the paper.

    Raises:
        UserError: neither index nor model has a V for a variant that needs it, or a run's name is taken.
    """
    slugs = [run_slug(prefix, name) for name in variants]
    if (taken := session.scalar(select(Run.slug).where(Run.slug.in_(slugs)))) is not None:
        raise UserError(
            f"There is a run “{taken}” already.", field="prefix", remedy="Choose another --prefix."
        )
    texts = read_texts(session, inputs)
    families = families_of(variants)
    step = progress or (lambda done, total: None)
    runs = []
    for number, members in enumerate(families):

        def within(done: int, total: int, before: int = number) -> None:
            step(before * total + done, len(families) * total)

        ranked = rank_family(inputs, texts, members, k, opponents, sample=sample, seed=seed, progress=within)
        for name, (rankings, about) in ranked.items():
            configuration = {"proponents": k, "opponents": opponents, **about, **inputs.about}
            runs.append(
                save(
                    session,
                    inputs,
                    rankings,
                    method=name,
                    slug=run_slug(prefix, name),
                    name=_run_name(name, about["hessian"]),
                    configuration=configuration,
                )
            )
    return runs


def families_of(variants: Mapping[str, EncodingConfig]) -> list[dict[str, EncodingConfig]]:
    """Variants by what decides their projected gradients: each family is one pass over the corpus."""
    families: dict[tuple[Any, ...], dict[str, EncodingConfig]] = {}
    for name, method in variants.items():
        key = (method.second_moments, method.loss, method.groups, method.projection_dim, method.seed)
        families.setdefault(key, {})[name] = method
    return list(families.values())


def _run_name(name: str, hessian: Mapping[str, Any] | None) -> str:
    """What tables call the run of a variant: where λ mixes two Hessians, with the λ that was used."""
    if name == TRACKSTAR and hessian:
        return f"{METHODS[TRACKSTAR].label}, λ = {hessian['mixing']:.3g}"
    return method_label(name)


def already_made(session: Session, inputs: RunInputs, method: str, slug: str = "") -> bool:
    """Whether the method was run over these prompts, of this model and corpus (under this name, if one is given)."""
    query = select(Run.id).where(
        Run.method == method,
        Run.prompt_set_id == inputs.prompt_set.id,
        Run.model_id == inputs.model.id,
        Run.corpus_id == inputs.corpus.id,
        *([Run.slug == slug] if slug else []),
    )
    return session.scalar(query.limit(1)) is not None
