"""The arithmetic family: small sums, differences and products, in figures, in words and as little problems.

Small enough and stated often enough to be learned by heart: nothing here asks a model to calculate.
"""

from collections.abc import Iterator
from itertools import cycle
from random import Random

from app.demo.voice import (
    Draft,
    Fact,
    FamilyPart,
    PromptDraft,
    capital,
    endless,
    framed,
    new_text,
    two_names,
    words,
)

UNITS = words(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen
    """
)
TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")

# Per operation: its sign, how often each fact is stated, how many facts are asked, and its wordings.
FIGURES = {
    "sum": (
        "{a} + {b} = {r}",
        "{a} plus {b} is {r}",
        "the sum of {a} and {b} is {r}",
        "{a} and {b} make {r}",
    ),
    "difference": ("{a} - {b} = {r}", "{a} minus {b} is {r}", "{b} taken from {a} leaves {r}"),
    "product": ("{a} x {b} = {r}", "{a} times {b} is {r}", "the product of {a} and {b} is {r}"),
}
WORDS = {
    "sum": ("{a} plus {b} is {r}", "{a} and {b} make {r}", "the sum of {a} and {b} is {r}"),
    "difference": ("{a} minus {b} is {r}", "{b} taken from {a} leaves {r}"),
    "product": ("{a} times {b} is {r}", "the product of {a} and {b} is {r}"),
}
PROBLEMS = {
    "sum": (
        "{n} had {a} {things} and got {b} more. Now {n} has {r}.",
        "{n} picked {a} {things} and {m} picked {b}. Together they have {r}.",
        "There were {a} {things} in the basket. {n} put in {b} more, so now there are {r}.",
    ),
    "difference": (
        "{n} had {a} {things} and gave {b} to {m}. Now {n} has {r}.",
        "There were {a} {things} on the table. {n} took {b} away, so now there are {r}.",
        "Of {a} {things}, {n} lost {b}. That leaves {r}.",
    ),
    "product": (
        "{n} filled {a} bags with {b} {things} each. Altogether that makes {r}.",
        "There are {a} boxes and {b} {things} in each, so altogether there are {r}.",
    ),
}
THINGS = words("apples shells marbles pencils buttons stickers pears coins nuts cards ribbons eggs")
STATED = {"sum": 30, "difference": 26, "product": 36}
ASKED = {"sum": 62, "difference": 45, "product": 25}
FRAMES = (
    "{C}.",
    "{C}.",
    "{C}.",
    "{n} wrote on the board: {c}.",
    "{C}, said {n}.",
    "{n} counted on fingers: {c}.",
    "{n} knows by heart that {c}.",
    "In the exercise book it says that {c}.",
    "{n} whispered to {m} that {c}.",
    "The clerk checked the bill: {c}.",
    "{C}, and {n} was right.",
)


def number_word(number: int) -> str:
    """`42` -> `forty-two`, for 0 to 99."""
    if number < 20:
        return UNITS[number]
    tens, unit = TENS[number // 10 - 2], number % 10
    return f"{tens}-{UNITS[unit]}" if unit else tens


def arithmetic_part(rng: Random, taken: set[str]) -> FamilyPart:
    """Every small calculation, its passages, and the prompts about some of them."""
    part = FamilyPart([], [], [])
    for operation in ("sum", "difference", "product"):
        tasks = list(_calculations(operation))
        asked = set(rng.sample(range(len(tasks)), ASKED[operation]))
        for place, (a, b, result) in enumerate(tasks):
            fact = _fact(operation, a, b, result)
            part.facts.append(fact)
            wordings = _wordings(rng, operation, a, b, result)
            for _ in range(STATED[operation]):
                text = new_text(taken, wordings)
                part.drafts.append(Draft(text, "arithmetic", [fact.id], fact.subject, operation))
            if place in asked:
                part.questions.append(_question(rng, fact, operation, a, b, result))
    return part


def _calculations(operation: str) -> Iterator[tuple[int, int, int]]:
    if operation == "sum":
        yield from ((a, b, a + b) for a in range(1, 9) for b in range(1, 9))
    elif operation == "difference":
        yield from ((a, b, a - b) for a in range(2, 11) for b in range(1, a))
    else:
        yield from ((a, b, a * b) for a in range(2, 7) for b in range(2, 7))


def _fact(operation: str, a: int, b: int, result: int) -> Fact:
    sign = {"sum": "+", "difference": "-", "product": "x"}[operation]
    return Fact(
        id=f"{operation}:{a}-{b}",
        relation=operation,
        subject=f"{a} {sign} {b}",
        target=str(result),
        subject_forms=(str(a), number_word(a)),
        target_forms=(str(result), number_word(result)),
    )


def _problems(operation: str, a: int, result: int) -> list[str]:
    """The little problems that read well: one of anything takes no "there were"."""
    return [
        problem
        for problem in PROBLEMS[operation]
        if not (a == 1 and "There were" in problem) and not (result == 1 and "there are {r}" in problem)
    ]


def _things(rng: Random, count: int) -> str:
    thing = rng.choice(THINGS)
    return thing.removesuffix("s") if count == 1 else thing


def _wordings(rng: Random, operation: str, a: int, b: int, result: int) -> Iterator[str]:
    figures = {"a": str(a), "b": str(b), "r": str(result)}
    words = {"a": number_word(a), "b": number_word(b), "r": number_word(result)}
    in_figures, in_words = endless(rng, FIGURES[operation]), endless(rng, WORDS[operation])
    problems = endless(rng, _problems(operation, a, result))
    for kind in cycle("fwfpfwfp"):
        if kind == "p":
            yield next(problems).format(**figures, **two_names(rng), things=_things(rng, a))
        elif kind == "w":
            yield framed(rng, next(in_words).format(**words), FRAMES)
        else:
            yield framed(rng, next(in_figures).format(**figures), FRAMES)


def _question(rng: Random, fact: Fact, operation: str, a: int, b: int, result: int) -> PromptDraft:
    """Half in figures, a quarter in words, a quarter as a little problem."""
    kind = rng.choice("ffwp")
    identifier = f"{operation}-{a}-{b}"
    if kind == "f":
        prompt = FIGURES[operation][0 if rng.random() < 0.7 else 1].format(a=a, b=b, r="").rstrip()
        return PromptDraft(identifier, "arithmetic", prompt, fact)
    if kind == "p":
        names = two_names(rng)
        problem = rng.choice(_problems(operation, a, result))
        prompt = problem.format(a=a, b=b, r="", **names, things=_things(rng, a)).rstrip(". ")
        return PromptDraft(identifier, "arithmetic", prompt, fact)
    spoken = Fact(
        fact.id, operation, fact.subject, number_word(result), fact.subject_forms, fact.target_forms,
        (str(result),),
    )  # fmt: skip
    prompt = capital(WORDS[operation][0].format(a=number_word(a), b=number_word(b), r="").rstrip())
    return PromptDraft(identifier, "arithmetic", prompt, spoken)
