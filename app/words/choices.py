"""Tasks that choose: a prompt with several endings, of which the model takes the one it finds likeliest.

Two rules are usual, and they do not always agree. By `total` probability a short ending has it easier; by probability
per `token` (the geometric mean) it has not. Both are known of every answer, so that a page can say where they differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp, isfinite
from typing import Any

CHOICES = "choices"  # what a run may contrast
TOTAL, TOKEN = "total", "token"
RULES = {TOTAL: "total probability", TOKEN: "probability per token"}
FEWEST = 2  # choices


@dataclass(frozen=True)
class Weighed:
    """How likely a model finds each choice of a prompt, in the prompt's order.

    Args:
        by: the rule it is judged by, of `RULES`.
        logs: natural logarithm of each choice's probability, given the prompt. tokens: of each.
    """

    by: str
    logs: tuple[float, ...]
    tokens: tuple[int, ...]

    def scores(self, by: str = "") -> list[float]:
        """By what the choices are ordered: `logs`, or those per token."""
        if (by or self.by) == TOTAL:
            return list(self.logs)
        return [log / count for log, count in zip(self.logs, self.tokens, strict=True)]

    def order(self, by: str = "") -> list[int]:
        """The choices, likeliest first; of equally likely ones the first."""
        scores = self.scores(by)
        return sorted(range(len(scores)), key=lambda at: (-scores[at], at))

    @property
    def chosen(self) -> int:
        """The choice that the model takes."""
        return self.order()[0]

    def best_but(self, at: int) -> int:
        """The likeliest of all others than this one."""
        return next(each for each in self.order() if each != at)

    @property
    def factor(self) -> float:
        """How many times as likely as the next one the choice taken is; by probability per token, each of its tokens."""
        scores = self.scores()
        margin = scores[self.chosen] - scores[self.best_but(self.chosen)]
        return exp(min(margin, 700.0))  # beyond it no float holds

    @property
    def shares(self) -> list[float]:
        """What of all choices' probability falls on each, by the rule; they add up to 1."""
        scores = self.scores()
        most = max(scores)
        parts = [exp(score - most) for score in scores]
        return [part / sum(parts) for part in parts]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"logs": list(self.logs), "tokens": list(self.tokens)}


def read_weighed(value: object) -> Weighed | None:
    """What `as_dict` wrote; None for anything else, for files say what they like."""
    if not isinstance(value, Mapping) or set(value) != set(Weighed.__dataclass_fields__):
        return None
    by, logs, tokens = value["by"], value["logs"], value["tokens"]
    lists = isinstance(logs, list) and isinstance(tokens, list) and len(logs) == len(tokens) >= FEWEST
    if by not in RULES or not lists:
        return None
    if not all(type(log) is float and isfinite(log) and log <= 0 for log in logs):
        return None
    if not all(type(count) is int and 0 < count < 1 << 31 for count in tokens):
        return None
    return Weighed(by, tuple(logs), tuple(tokens))


def fits(choices: Sequence[str] | None, weighed: Weighed | None) -> bool:
    """Whether these weights are of these choices."""
    return bool(choices) and weighed is not None and len(weighed.logs) == len(choices or ())
