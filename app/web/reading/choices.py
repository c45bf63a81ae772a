"""A prompt with choices, as its page says it: how likely the model finds each, which it takes, and by which rule."""

from math import exp

from pydantic import BaseModel

from app.store.examples import Example
from app.words.choices import RULES, TOKEN, TOTAL, fits, read_weighed
from app.words.saying import number

_TELLING = 100.0  # a factor beyond it is said without digits


class Choice(BaseModel):
    """One choice.

    Args:
        probability: of all its tokens, given the prompt. per_token: their geometric mean.
        share: of all choices' probability, by the rule; 0 to 1.
        against: the run explains another choice rather than this one.
    """

    text: str
    right: bool
    chosen: bool
    against: bool
    tokens: int
    probability: float
    per_token: float
    share: float


class Choices(BaseModel):
    """All choices of a prompt in its order; `by` is the rule that counts, `sentence` what the model does."""

    by: str
    sentence: str
    listed: list[Choice]


def choices_of(example: Example) -> Choices | None:
    """What the example's model makes of its prompt's choices; None where it has none or they were not weighed."""
    prompt, output = example.prompt, example.output
    weighed = read_weighed(output.weighed) if output else None
    if weighed is None or not prompt.choices or not fits(prompt.choices, weighed):
        return None
    against = (example.result.contrast or "").strip()
    listed = [
        Choice(
            text=text,
            right=at == prompt.label,
            chosen=at == weighed.chosen,
            against=text.strip() == against,
            tokens=count,
            probability=exp(log),
            per_token=exp(log / count),
            share=share,
        )
        for at, (text, log, count, share) in enumerate(
            zip(prompt.choices, weighed.logs, weighed.tokens, weighed.shares, strict=True)
        )
    ]
    other = TOKEN if weighed.by == TOTAL else TOTAL
    elsewhere = prompt.choices[weighed.order(other)[0]]
    differs = (
        f" By {RULES[other]} it would take “{elsewhere}”."
        if weighed.order(other)[0] != weighed.chosen
        else ""
    )
    sentence = (
        f"By {RULES[weighed.by]} the model takes “{prompt.choices[weighed.chosen]}”, {_times(weighed.factor)} as likely"
        f" as the next{' per token' if weighed.by == TOKEN else ''}.{differs}"
    )
    return Choices(by=weighed.by, sentence=sentence, listed=listed)


def _times(factor: float) -> str:
    if factor < 1.005:
        return "just"
    if factor < _TELLING:
        return f"{number(factor, 1 if factor >= 10 else 2)} times"
    return f"{factor:,.0f} times" if factor < 1e6 else "over a million times"
