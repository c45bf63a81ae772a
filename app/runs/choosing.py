"""What a model chooses: how likely it finds each choice of a prompt, and which it takes by one rule or the other."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import exp
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.load import LoadedModel
from app.models.text import Query
from app.store.models import put_outputs
from app.store.tables import Output, Prompt
from app.tracing.probabilities import log_probabilities
from app.words.choices import RULES, TOTAL, Weighed, fits, read_weighed

AT_ONCE = 64  # prompts weighed between two signs of progress


def weigh(
    model: LoadedModel,
    prompts: Sequence[Prompt],
    *,
    by: str = TOTAL,
    progress: Callable[[int, int], None] | None = None,
) -> list[Weighed]:
    """How likely the model finds each choice of each prompt.

    Raises:
        UserError: a choice cannot be traced (see `Texts.query`), or the rule is none.
    """
    found: list[Weighed] = []
    for start in range(0, len(prompts), AT_ONCE):
        some = prompts[start : start + AT_ONCE]
        told = iter(log_probabilities(model, [query for prompt in some for query in choice_queries(prompt)]))
        for prompt in some:
            own = [next(told) for _ in prompt.choices or ()]
            found.append(Weighed(checked_rule(by), tuple(log for log, _ in own), tuple(n for _, n in own)))
        if progress:
            progress(len(found), len(prompts))
    return found


def choice_queries(prompt: Prompt) -> list[Query]:
    """Each choice after its prompt; none of a prompt without choices."""
    return [Query.of_target(prompt.text, choice) for choice in prompt.choices or ()]


def chosen_output(model: LoadedModel, prompt: Prompt, weighed: Weighed) -> dict[str, Any]:
    """The output of a prompt with choices: its answer is the choice taken, which stands for what the model said.

    Its confidence is what of all choices' probability falls on it; nothing is sampled.
    """
    at, choices = weighed.chosen, prompt.choices or []
    query = choice_queries(prompt)[at]
    return {
        "prompt_id": prompt.id,
        "answer": choices[at],
        "correct": None if prompt.label is None else at == prompt.label,
        "probability": None if prompt.label is None else exp(weighed.logs[prompt.label]),
        "confidence": weighed.shares[at],
        "samples": [],
        "said": query.completion,
        "said_tokens": list(model.texts.completion(query)),
        "said_probability": exp(weighed.logs[at]),
        "weighed": weighed.as_dict(),
    }


def judge_again(
    session: Session, model: LoadedModel, model_id: int, prompts: Iterable[Prompt], by: str
) -> int:
    """Let the other rule decide what was chosen; the probabilities are known, so nothing is computed. Returns how many.

    Raises:
        UserError: the rule is none.
    """
    known = {
        output.prompt_id: weighed
        for output in session.scalars(select(Output).where(Output.model_id == model_id))
        if (weighed := read_weighed(output.weighed))
    }
    changed = [
        chosen_output(model, prompt, replace(known[prompt.id], by=checked_rule(by)))
        for prompt in prompts
        if fits(prompt.choices, known.get(prompt.id))
    ]
    return put_outputs(session, model_id, changed)


def checked_rule(by: str) -> str:
    """The rule.

    Raises:
        UserError: there is no such rule.
    """
    if by not in RULES:
        raise UserError(
            f"“{by}” is no rule to choose by.",
            field="choose-by",
            remedy=f"Use {' or '.join(f'{name} ({label})' for name, label in RULES.items())}.",
        )
    return by
