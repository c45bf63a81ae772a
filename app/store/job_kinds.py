"""The kinds of work that stand in the queue, and how patient it is with each."""

from dataclasses import dataclass
from datetime import timedelta

MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class JobKind:
    """What holds for all jobs of a kind.

    Args:
        lease: without progress for so long, another worker gets it.
        limit: from its first attempt on, it must be over by then.
        attempts: workers that may die over it; then it fails with `lost`.
        lost: message and remedy.
    """

    lease: timedelta
    limit: timedelta
    attempts: int = MAX_ATTEMPTS
    lost: tuple[str, str] = (
        f"The tracing worker died or hung {MAX_ATTEMPTS} times while it answered this question.",
        "Ask again, or something shorter; the worker's log says what happened.",
    )


_SENT_AGAIN = ("The server stopped meanwhile.", "Send the file again.")
KINDS = {
    "trace": JobKind(
        timedelta(minutes=10), timedelta(hours=1)
    ),  # a large model's longest stage, first load included
    "shade": JobKind(timedelta(minutes=10), timedelta(hours=1)),
    "steps": JobKind(timedelta(minutes=10), timedelta(hours=1)),
    "without": JobKind(timedelta(minutes=10), timedelta(hours=6)),
    # Done by the process that took the file in, which alone has it.
    "import": JobKind(timedelta(minutes=5), timedelta(hours=6), attempts=1, lost=_SENT_AGAIN),
}
TRACING = ("trace", "shade", "steps")  # what a tracing worker does
TRAINING = ("without",)  # what it does when nobody waits for an answer
