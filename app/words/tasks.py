"""The tasks: what prompts ask of a model, and how each is called."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A task.

    Args:
        label: as headings have it.
        noun: its prompts, in a sentence.
        signs: what the names of files and sets say of it, without spaces, hyphens and underscores.
    """

    label: str
    noun: str
    signs: tuple[str, ...]


FACT = "fact"
OPEN_ENDED = "open_ended"
TASKS = {
    FACT: Task("Facts", "facts", ("trex", "fact", "lama")),
    "commonsense": Task("Commonsense", "commonsense prompts", ("copa", "piqa", "commonsense", "cause")),
    "arithmetic": Task(
        "Arithmetic",
        "arithmetic prompts",
        ("arithmetic", "math", "addition", "subtraction", "wordproblem"),
    ),
    OPEN_ENDED: Task("Open-ended", "open-ended prompts", ("stor", "openended")),
}
LISTED = f"{', '.join(list(TASKS)[:-1])} or {list(TASKS)[-1]}"
_BY_SIGN = ("commonsense", "arithmetic", OPEN_ENDED, FACT)  # “facts about causes” are no facts


def task_name(task: str) -> str:
    """`open_ended` -> `Open-ended`; unknown tasks are shown as they are."""
    return TASKS[task].label if task in TASKS else task.replace("_", " ").capitalize()


def task_noun(task: str) -> str:
    """What a sentence calls the prompts of a task, or `prompts`."""
    return TASKS[task].noun if task in TASKS else "prompts"


def task_place(task: str) -> tuple[int, str]:
    """Where lists put it: in our order, strangers behind it by name."""
    return list(TASKS).index(task) if task in TASKS else len(TASKS), task


def task_in(words: str) -> str | None:
    """The task that a name speaks of, or None."""
    plain = words.lower().replace("_", "").replace("-", "")
    return next((task for task in _BY_SIGN if any(sign in plain for sign in TASKS[task].signs)), None)
