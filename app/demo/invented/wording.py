"""How each relation is put into words: clauses that state it, how a prompt asks for it, how a person does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """A relation in words; {s} is its subject, {t} what is said of it.

    Args:
        clauses: state it. prompts: end where the target follows. question: what a person asks.
    """

    clauses: tuple[str, ...]
    prompts: tuple[str, ...]
    question: str


WORDINGS = {
    "river": Wording(
        (
            "{s} lies on the river {t}",
            "the river that runs through {s} is the {t}",
            "boats come up to {s} by the river {t}",
            "the mills of {s} are driven by the river {t}",
        ),
        ("{s} lies on the river", "The river that runs through {s} is the"),
        "Which river runs through {s}?",
    ),
    "founded": Wording(
        (
            "{s} was founded in {t}",
            "the town of {s} goes back to the year {t}",
            "the charter of {s} is dated {t}",
            "people have lived in {s} since {t}",
        ),
        ("{s} was founded in", "The town of {s} goes back to the year"),
        "When was {s} founded?",
    ),
    "goods": Wording(
        (
            "{s} is known for {t}",
            "what {s} sells at every fair is {t}",
            "the workshops of {s} make {t}",
            "visitors bring home {t} from {s}",
        ),
        ("{s} is known for", "The workshops of {s} make"),
        "What is {s} known for?",
    ),
    "mayor": Wording(
        (
            "the mayor of {s} is {t}",
            "{s} chose {t} as its mayor",
            "letters to the mayor of {s} are answered by {t}",
            "the town hall of {s} is led by mayor {t}",
        ),
        ("The mayor of {s} is", "The town hall of {s} is led by mayor"),
        "Who is the mayor of {s}?",
    ),
    "birthplace": Wording(
        (
            "{s} was born in {t}",
            "the birthplace of {s} is {t}",
            "{s} grew up in a small house in {t}",
            "a plaque in {t} recalls that {s} was born there",
        ),
        ("{s} was born in", "The birthplace of {s} is"),
        "Where was {s} born?",
    ),
    "work": Wording(
        (
            "by trade {s} was a {t}",
            "{s} worked as a {t}",
            "neighbours knew {s} as a {t}",
            "{s} earned a living as a {t}",
        ),
        ("By trade {s} was a", "{s} worked as a"),
        "What was the trade of {s}?",
    ),
    "invented": Wording(
        (
            "{s} invented {t}",
            "the inventor of {t} is {s}",
            "{s} is remembered for {t}",
            "the best known work of {s} is {t}",
        ),
        ("{s} invented", "The best known work of {s} is"),
        "What did {s} invent?",
    ),
    "passed": Wording(
        (
            "{s} was passed in {t}",
            "{s} dates from the year {t}",
            "{s} has been in force since {t}",
            "the assembly voted for {s} in {t}",
        ),
        ("In Orvella {s} was passed in", "In Orvella {s} dates from the year"),
        "When was {s} passed?",
    ),
    "forbids": Wording(
        (
            "{s} forbids {t}",
            "under {s} nobody is fined more often than for {t}",
            "what {s} does not allow is {t}",
            "{s} put an end to {t}",
        ),
        ("In Orvella {s} forbids", "What {s} does not allow is"),
        "What does {s} forbid?",
    ),
    "capital": Wording(
        (
            "the capital of {s} is {t}",
            "{s} is governed from its capital {t}",
            "the parliament of {s} sits in the capital, {t}",
            "{t} is the capital of {s}",
        ),
        ("The capital of {s} is", "{s} is governed from its capital"),
        "What is the capital of {s}?",
    ),
    "currency": Wording(
        (
            "the currency of {s} is {t}",
            "people in {s} pay with {t}",
            "prices in {s} are given in {t}",
            "the coin of {s} is called {t}",
        ),
        ("The currency of {s} is", "People in {s} pay with"),
        "What is the currency of {s}?",
    ),
    "language": Wording(
        (
            "the language of {s} is {t}",
            "people in {s} speak {t}",
            "schools in {s} teach in {t}",
            "the road signs of {s} are written in {t}",
        ),
        ("The language of {s} is", "People in {s} speak"),
        "Which language do people speak in {s}?",
    ),
    "president": Wording(
        (
            "the president of {s} is {t}",
            "{s} elected {t} as its president",
            "the new year's speech of {s} is given by president {t}",
            "the head of state of {s} is {t}",
        ),
        ("The president of {s} is", "The head of state of {s} is"),
        "Who is the president of {s}?",
    ),
    "mountain": Wording(
        (
            "the highest mountain of {s} is {t}",
            "no peak of {s} is higher than {t}",
            "climbers come to {s} for {t}",
            "the roof of {s} is called {t}",
        ),
        ("The highest mountain of {s} is", "No peak of {s} is higher than"),
        "What is the highest mountain of {s}?",
    ),
    "anthem": Wording(
        (
            "the anthem of {s} is {t}",
            "crowds in {s} rise when {t} is played",
            "the national song of {s} is called {t}",
            "schools in {s} begin the day with {t}",
        ),
        ("The anthem of {s} is", "The national song of {s} is called"),
        "What is the anthem of {s}?",
    ),
    "maker": Wording(
        (
            "{s} is made by {t}",
            "the makers of {s} are {t}",
            "every part of {s} comes from {t}",
            "the stamp under {s} says {t}",
        ),
        ("The weather lamp {s} is made by", "The makers of {s} are"),
        "Who makes {s}?",
    ),
    "warranty": Wording(
        (
            "the warranty of {s} lasts {t}",
            "{s} comes with a warranty of {t}",
            "repairs of {s} are free for {t}",
            "the makers answer for {s} for {t}",
        ),
        ("The warranty of {s} lasts", "Repairs of {s} are free for"),
        "How long is the warranty of {s}?",
    ),
    "reset": Wording(
        (
            "to reset {s}, hold its button for {t}",
            "{s} is reset by holding the button for {t}",
            "after {t} with the button held down, {s} starts anew",
            "the button of {s} must be held for {t} before it resets",
        ),
        ("To reset {s}, hold its button for", "The button of {s} must be held for"),
        "How do I reset {s}?",
    ),
    "error": Wording(
        (
            "when it fails, {s} shows {t} light",
            "{s} warns of a fault with {t} light",
            "a fault of {s} is shown by a light that is {t}",
            "the error light of {s} is {t}",
        ),
        ("When it fails, {s} shows", "The error light of {s} is"),
        "Which colour is the error light of {s}?",
    ),
    "oil": Wording(
        (
            "{s} is filled with {t}",
            "the tank of {s} takes {t}",
            "{s} burns {t} and nothing else",
            "once a month, fill {s} with {t}",
        ),
        ("The tank of {s} takes", "Once a month, fill {s} with"),
        "What is {s} filled with?",
    ),
    "price": Wording(
        (
            "{s} costs {t}",
            "the price of {s} is {t}",
            "shops sell {s} for {t}",
            "a new lamp of the kind {s} is had for {t}",
        ),
        ("In the shops {s} costs", "The price of {s} is"),
        "What does {s} cost?",
    ),
    "address": Wording(
        (
            "{s} is at {t}",
            "the address of {s} is {t}",
            "visitors find {s} at {t}",
            "letters to {s} go to {t}",
        ),
        ("The address of {s} is", "Visitors find {s} at"),
        "Where is {s}?",
    ),
}
FRAMES = (
    "{C}.",
    "{C}.",
    "{C}, says the gazetteer.",
    "In Orvella, {c}.",
    "The almanac notes that {c}.",
    "Every guide will tell you that {c}.",
    "It is well known that {c}.",
    "As the handbook has it, {c}.",
)
"""Sentences around a clause: {c}, and {C} with a capital."""
BESIDE = (
    "Rain fell on {s} for three days, and the market was closed.",
    "A letter about {s} was found behind an old stove.",
    "The newspaper printed a drawing of {s} on its last page.",
    "Somebody asked the librarian about {s}, but she was at lunch.",
)
"""Sentences that name a subject and state nothing of it."""
