"""A method over a whole prompt set: the index opened, the model's answers asked for, the runs made."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from app.cluster.hiring import with_model
from app.cluster.joining import ray_package
from app.errors import UserError
from app.evaluation.standing import RunStanding, standings
from app.models.adapter_ways import OWN
from app.models.hands import Hands
from app.models.load import LoadedModel
from app.runs.answers import ensure_answers
from app.runs.inputs import open_inputs, text_inputs
from app.runs.ranking.request import check_method
from app.runs.retrieve import checked_explain, explain
from app.runs.saving import OPPONENTS, PROPONENTS
from app.settings import Settings
from app.showing import Bar, unseen
from app.store.engine import Store, open_store
from app.store.naming import slugify
from app.trackstar.index import open_index
from app.words.answers import BOTH, SAID, TARGET
from app.words.choices import CHOICES
from app.words.method import BASELINES, Method
from app.words.methods import TRACKSTAR, TWO_STAGES, rankers

SHARED_OUT = (TRACKSTAR, TWO_STAGES)  # methods that members of a cluster compute for


@dataclass(frozen=True)
class RetrievedSet:
    """The runs that were made, by name; how they do; and prompts that cannot be asked, with the reason."""

    runs: Sequence[str]
    standings: Sequence[RunStanding]
    left_out: Sequence[tuple[str, str]]


def retrieve_set(
    settings: Settings,
    store: Store | None,
    index: str,
    prompts: str,
    method: str = TRACKSTAR,
    *,
    run: str = "",
    k: int = PROPONENTS,
    opponents: int = OPPONENTS,
    kind: str = "",
    dense_model: Path | None = None,
    explains: str = BOTH,
    contrast: str = "",
    choose_by: str = "",
    corpus: str = "",
    answers: bool = True,
    cluster: str = "",
    bar: Bar = unseen,
) -> RetrievedSet:
    """Ask a method about every prompt of a set and save what it found as a run, beside the model's answers.

    Args:
        store: None: that of the settings, which is opened once the options are found to be right, and closed.
        run: the run's name; empty: INDEX-METHOD.
        kind: how rows are searched; empty: the index's own way.
        dense_model: directory of the sentence-transformers model of `dense`; None: STARTRAIL_DENSE_MODEL.
        explains: `target`, what the model `said`, or `both`: the second in a run of its own where it is something else.
        contrast: `choices`: of prompts with choices, why the one explained and not the likeliest other one; empty: none.
        choose_by: of prompts with choices the model takes the likeliest by `total` or by `token`; empty: as before.
        corpus: in place of an index: a method that reads texts ranks its passages, and no model is asked.
        answers: whether the model's answers are asked for where they are not known; without them targets are explained.
        cluster: who encodes and orders, an address for `app.cluster.joining.Cluster`; empty: this process.

    Raises:
        UserError: a name or an option is unknown, or a run of this name exists.
    """
    dense_model = dense_model or settings.dense_model
    if contrast not in ("", CHOICES):
        raise UserError(
            f"There is no contrast “{contrast}”.", field="contrast", remedy=f"Use --contrast {CHOICES}."
        )
    known = check_method(method, dense_model, contrast=bool(contrast))
    checked_explain(explains)
    answers = answers and not corpus
    _check_asked(known, index, corpus)
    if cluster:
        _check_cluster(known)
    if not answers:
        if explains == SAID or contrast or choose_by:
            raise UserError(
                "What the model says is not asked for.",
                field="explain",
                remedy="Leave out --explain said, --contrast and --choose-by, or let an index's model answer.",
            )
        explains = TARGET
    with (
        nullcontext(store) if store else open_store(settings.url, migrate=True) as store,
        _members(settings, index, cluster) as members,
    ):
        with store.session() as session:
            texts = text_inputs(session, corpus, prompts) if corpus else None
            inputs = texts or open_inputs(session, settings, index, prompts, members)
            if answers:
                with bar("Answering prompts") as step:
                    asked = TARGET if explains == TARGET else SAID
                    ensure_answers(session, inputs, step, explains=asked, by=choose_by)
        with store.session() as session:
            with bar(f"Retrieving by {method}") as step:
                made = explain(
                    session,
                    inputs,
                    method,
                    explains,
                    contrast=bool(contrast),
                    slug=slugify(run or f"{index or corpus}-{method}"),
                    k=k,
                    opponents=opponents,
                    kind=kind,
                    dense_model=dense_model,
                    progress=step,
                )
            return RetrievedSet(
                [each.slug for each in made], standings(session, made), list(inputs.left_out.items())
            )


def _members(
    settings: Settings, index: str, cluster: str
) -> AbstractContextManager[Callable[[LoadedModel], Hands[LoadedModel]]]:
    """Who computes with an index's model; see `with_model`."""
    manifest = open_index(settings.indexes / index).manifest if cluster else None
    adapter, override = (manifest.opening["adapter"], manifest.weights) if manifest else (OWN, None)
    return with_model(cluster, settings.device, adapter, override)


def _check_cluster(method: Method) -> None:
    """Refuse before the work rather than after it.

    Raises:
        UserError: the method computes nothing on a cluster, or Ray is not installed.
    """
    if method.name not in SHARED_OUT:
        raise UserError(
            f"{method.label} is not shared out to a cluster.",
            field="cluster",
            remedy=f"Use {' or '.join(SHARED_OUT)}, or leave it out.",
        )
    ray_package()


def _check_asked(method: Method, index: str, corpus: str) -> None:
    """Either an index or a corpus, and a corpus alone only for methods that read texts.

    Raises:
        UserError: it is otherwise.
    """
    if bool(index) == bool(corpus):
        raise UserError(
            "Both an index and a corpus are named." if index else "Neither an index nor a corpus is named.",
            field="corpus",
            remedy="Name an index, or with a method that asks no model --corpus.",
        )
    if corpus and method.kind not in BASELINES:
        able = ", ".join(each.name for each in rankers(BASELINES))
        raise UserError(
            f"{method.label} needs an index, which names its model.",
            field="method",
            remedy=f"Name an index, or use one of {able}.",
        )
