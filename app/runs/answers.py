"""What a model answers to prompts: greedy answer, whether it is right, probability, samples, confidence."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models.generate import complete
from app.models.load import LoadedModel
from app.models.text import Query
from app.runs.choosing import checked_rule, chosen_output, judge_again, weigh
from app.runs.inputs import RunInputs
from app.store.models import put_outputs
from app.store.tables import Model, Output, Prompt
from app.tracing.probabilities import completions
from app.words.answers import SAID, TARGET, answer_of
from app.words.choices import TOTAL
from app.words.names import fold, is_right

SAMPLES = 10
ANSWER_TOKENS = 16
Progress = Callable[[int, int], None]


def ensure_answers(
    session: Session,
    inputs: RunInputs,
    progress: Progress | None = None,
    *,
    explains: str = TARGET,
    by: str = "",
    samples: int = SAMPLES,
) -> None:
    """Ask the model every prompt, unless it was asked before; to explain what it said, its tokens must be known too.

    Args:
        samples: drawn of each answer beside the likeliest.
        by: the rule by which it chooses where a prompt has choices; empty: as they were judged before.

    Raises:
        UserError: there is no such rule.
    """
    rule = checked_rule(by or TOTAL)
    known = select(func.count()).where(
        Output.model_id == inputs.model.id, Output.prompt_id.in_([prompt.id for prompt in inputs.prompts[:1]])
    )
    if explains == SAID:
        known = known.where(Output.said_tokens.is_not(None))
    if next((prompt for prompt in inputs.prompts if prompt.choices), None) is not None:
        known = known.where(Output.weighed.is_not(None))
    if not session.scalar(known):
        answer_prompts(
            session, inputs.model, inputs.loaded, inputs.prompts, samples=samples, by=rule, progress=progress
        )
    elif by:
        judge_again(session, inputs.loaded, inputs.model.id, inputs.prompts, rule)


def answer_prompts(
    session: Session,
    record: Model,
    model: LoadedModel,
    prompts: Sequence[Prompt],
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    by: str = TOTAL,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Ask the model every prompt and save what it says as outputs; returns them in order.

    Args:
        by: the rule by which it chooses where a prompt has choices (`app.words.choices.RULES`).
    """
    choosing = [prompt for prompt in prompts if prompt.choices]
    writing = [prompt for prompt in prompts if not prompt.choices]
    weighed = weigh(model, choosing, by=by, progress=progress)
    made = {
        output["prompt_id"]: output
        for output in [
            *(chosen_output(model, prompt, own) for prompt, own in zip(choosing, weighed, strict=True)),
            *_written_outputs(model, writing, samples, seed, progress),
        ]
    }
    outputs = [made[prompt.id] for prompt in prompts]
    put_outputs(session, record.id, outputs)
    return outputs


def _written_outputs(
    model: LoadedModel, prompts: Sequence[Prompt], samples: int, seed: int, progress: Progress | None
) -> list[dict[str, Any]]:
    """Of prompts that the model answers in words of its own."""
    if not prompts:
        return []
    said = complete(
        model,
        [prompt.text for prompt in prompts],
        max_new_tokens=ANSWER_TOKENS,
        samples=samples,
        seed=seed,
        progress=progress,
    )
    spoken = [
        Query.explaining(SAID, prompt.text, prompt.target, each.text, each.tokens)
        for prompt, each in zip(prompts, said, strict=True)
    ]
    sure = target_probabilities(model, spoken)
    chances = target_probabilities(model, [Query.of_target(prompt.text, prompt.target) for prompt in prompts])
    outputs = []
    for prompt, each, chance, own in zip(prompts, said, chances, sure, strict=True):
        answers = [answer_of(text) for text in each.samples]
        greedy = answer_of(each.text)
        accepted = [prompt.ground_truth or prompt.target, *prompt.aliases]
        outputs.append(
            {
                "prompt_id": prompt.id,
                "answer": greedy,
                "correct": is_right(each.text, accepted),
                "probability": chance,
                "confidence": sum(fold(one) == fold(greedy) for one in answers) / max(1, samples),
                "samples": answers,
                "said": each.text or None,
                "said_tokens": list(each.tokens) or None,
                "said_probability": own if each.tokens else None,
                "weighed": None,
            }
        )
    return outputs


@torch.no_grad()
def target_probabilities(model: LoadedModel, queries: Sequence[Query]) -> list[float]:
    """The joint probability (0..1) of each query's completion, given its prompt."""
    return [each.probability for each in completions(model, queries)]
