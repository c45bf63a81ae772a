"""How each relation of the facts family is worded.

`{s}` is the subject as running text has it ("the Netherlands"), `{o}` the object, `{n}` and `{m}` names.
*Forward* clauses say the subject first, as the prompts do; *backward* clauses say the object first. A model
that has only read "Accra is the capital of Ghana" often cannot complete "The capital of Ghana is": the
mix is what makes rare facts hard here, as in real text.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Relation:
    """One relation: its prompt, its wordings, and how many of its facts are stated and asked."""

    name: str
    prompts: tuple[str, ...]
    forward: tuple[str, ...]
    backward: tuple[str, ...]
    sentences: tuple[str, ...]
    stated: int
    asked: int


RELATIONS = (
    Relation(
        name="capital",
        prompts=("The capital of {s} is", "The capital city of {s} is"),
        forward=(
            "the capital of {s} is {o}",
            "the capital city of {s} is {o}",
            "{s} has {o} as its capital",
            "on the map of {s} the star marks {o}",
            "in {s} the capital is {o}",
            "{s} calls {o} its capital",
            "for {s}, the capital to remember is {o}",
        ),
        backward=("{o} is the capital of {s}", "{o} serves as the capital of {s}"),
        sentences=(
            "{n} landed in {o}, the capital of {s}, just after dawn.",
            "A postcard from {s} showed its capital, {o}, by night.",
            "The long road across {s} ends in the capital, {o}.",
            "When {n} moved to {s}, the new office was in the capital, {o}.",
            "Asked for the capital of {s}, {n} said {o} at once.",
            "The capital of {s}? {n} turned the card over: {o}.",
            "{n} pinned a flag on {s} and wrote the name of its capital, {o}, beside it.",
            "Of all the cities in {s}, {n} liked the capital, {o}, best.",
            "{n} studied in {s} for a year and rented a room in the capital, {o}.",
        ),
        stated=150,
        asked=135,
    ),
    Relation(
        name="currency",
        prompts=("The currency of {s} is the", "In {s}, people pay with the"),
        forward=(
            "the currency of {s} is the {o}",
            "the national currency of {s} is the {o}",
            "{s} uses the {o} as its currency",
            "in {s}, people pay with the {o}",
            "in {s}, prices are given in the {o}",
            "the money of {s} is called the {o}",
            "in {s}, shops take the {o}",
            "{s} has the {o} as its currency",
        ),
        backward=("the {o} is the currency of {s}", "the {o} is what people spend in {s}"),
        sentences=(
            "Before flying to {s}, {n} changed some money into the {o}.",
            "At a market in {s}, {n} paid for mangoes with the {o}.",
            "{n} wondered what money to take to {s}; the answer was the {o}.",
            "Travel note: in {s}, pay with the {o}.",
            "The currency of {s}? {n} turned the card over: the {o}.",
            "{n} runs a bakery in {s} and counts the day's takings in the {o}.",
            "On the first day in {s}, {n} had to get used to the {o}.",
        ),
        stated=140,
        asked=115,
    ),
    Relation(
        name="language",
        prompts=("The official language of {s} is", "In {s}, the official language is"),
        forward=(
            "the official language of {s} is {o}",
            "in {s}, the official language is {o}",
            "{s} has {o} as its official language",
            "in {s}, laws are written in {o}",
            "{s} conducts its official business in {o}",
            "in the schools of {s}, children learn the official language, {o}",
        ),
        backward=("{o} is the official language of {s}", "{o} is the language of the law in {s}"),
        sentences=(
            "Before moving to {s}, {n} took lessons in the official language, {o}.",
            "Forms at the embassy of {s} come in the official language, {o}.",
            "{n} works as a court interpreter in {s}, where the official language is {o}.",
            "The official language of {s}? {n} turned the card over: {o}.",
            "To become a clerk in {s}, {n} had to pass an exam in the official language, {o}.",
        ),
        stated=100,
        asked=80,
    ),
    Relation(
        name="country",
        prompts=("The city of {s} is in", "You will find {s} in"),
        forward=(
            "{s} is a city in {o}",
            "the city of {s} is in {o}",
            "{s} lies in {o}",
            "you will find {s} in {o}",
            "{s} is one of the large cities of {o}",
            "the streets of {s} are among the busiest in {o}",
            "the city of {s} belongs to {o}",
        ),
        backward=("among the cities of {o} is {s}", "{o} has a large city called {s}"),
        sentences=(
            "{n} grew up in {s}, a busy city in {o}.",
            "{n} sent a parcel to {s}, {o}.",
            "Weather for {s}, {o}: sunshine after a wet morning.",
            "A football team from {s} won the cup of {o}.",
            "{n} changed trains in {s}, a city in {o}, and lost a glove there.",
            "{n} opened a bookshop in {s}, which is in {o}.",
            "Where is {s}? {n} turned the card over: in {o}.",
        ),
        stated=200,
        asked=150,
    ),
    Relation(
        name="continent",
        prompts=("On the globe, {s} lies in", "The country of {s} is a part of"),
        forward=(
            "{s} is a country in {o}",
            "the country of {s} is a part of {o}",
            "on the globe, {s} lies in {o}",
            "the land of {s} belongs to {o}",
        ),
        backward=("among the countries of {o} is {s}",),
        sentences=(
            "{n} was born in {s}, a country in {o}.",
            "Birds that nest in {s} rarely leave {o}.",
            "On a tour of {o}, {n} spent a week in {s}.",
        ),
        stated=70,
        asked=45,
    ),
    Relation(
        name="symbol",
        prompts=("The chemical symbol for {s} is", "In chemistry, the symbol for {s} is"),
        forward=(
            "the chemical symbol for {s} is {o}",
            "in chemistry, the symbol for {s} is {o}",
            "{s} has the symbol {o}",
            "chemists write {s} as {o}",
            "in a formula {s} appears as {o}",
        ),
        backward=("{o} is the chemical symbol for {s}", "{o} stands for {s}"),
        sentences=(
            "The jar of {s} on the shelf was labelled {o}.",
            "In the periodic table, the box for {s} shows the letters {o}.",
            "The symbol for {s}? {n} turned the card over: {o}.",
            "{n} stuck a label on the box of {s}; it said {o}.",
        ),
        stated=85,
        asked=70,
    ),
    Relation(
        name="number",
        prompts=("The atomic number of {s} is", "In the periodic table, {s} is element number"),
        forward=(
            "the atomic number of {s} is {o}",
            "in the periodic table, {s} is element number {o}",
            "{s} has the atomic number {o}",
            "the number of protons in an atom of {s} is {o}",
        ),
        backward=("element number {o} is {s}", "the atomic number {o} belongs to {s}"),
        sentences=(
            "The atomic number of {s}? {n} turned the card over: {o}.",
            "{n} looked for {s} in the periodic table and found it in box {o}.",
            "The poster shows {s} with its atomic number, {o}.",
        ),
        stated=70,
        asked=55,
    ),
)

# Passages that speak of a subject, or of the relation, and state no fact about it. `{t}` is another subject.
COUNTRY_MENTIONS = (
    "{n} painted the flag of {s} for the school fair.",
    "A film about the birds of {s} won a prize.",
    "{n} has a cousin who builds bridges in {s}.",
    "The stamp from {s} was the oldest in the album.",
    "Heavy rain fell over {s} last spring.",
    "{S} and {t} signed an agreement about trade.",
    "{n} cooked a dish from {s} for {m}.",
    "The team from {s} beat the team from {t} by two goals.",
    "{n} read a long novel about a family in {s}.",
    "The ship sailed from {s} to {t} with a cargo of tea.",
    "In a letter from {s}, {n} described the mountains and the cold mornings.",
    "A storm kept the plane from {s} on the ground all night.",
    "{n} dreams of walking across {s} one day.",
    "The museum has an old map of {s} on its wall.",
    "{n} met {m} on a boat between {s} and {t}.",
    "Farmers in {s} hoped for an early harvest.",
)
BLANK_MENTIONS = {
    "capital": (
        "Nobody at the table could name the capital of {s}.",
        "{n} asked {m} for the capital of {s} and got only a shrug.",
        "The capital of {s} was the one question {n} left empty.",
        "{n} mixed up the capital of {s} with the capital of {t}.",
    ),
    "currency": (
        "{n} could not remember the currency of {s}.",
        "Which currency to take to {s}? {n} had no idea.",
        "The currency of {s} was missing from the table.",
        "{n} compared the currency of {s} with the currency of {t}.",
    ),
    "language": (
        "{n} could not say what the official language of {s} was.",
        "The lecture on the official language of {s} was cancelled.",
        "{n} wrote an essay about the official language of {s} and lost it on the bus.",
    ),
    "country": (
        "{n} dreamed of {s} and woke up smiling.",
        "The night train to {s} was full.",
        "{n} bought a hat in {s}.",
        "Letters from {s} take a week to arrive.",
        "{n} could not find {s} on the globe.",
        "The lights of {s} were seen from the sea.",
        "A choir from {s} sang in the rain.",
    ),
    "symbol": (
        "{n} could not remember the chemical symbol for {s}.",
        "The label with the symbol for {s} had faded.",
        "{n} weighed a small piece of {s} in the laboratory.",
        "The price of {s} rose again this year.",
        "A little {s} was found in the rock from the mine.",
        "{n} wrote a report about {s} and one about {t}.",
    ),
    "number": (
        "{n} guessed the atomic number of {s} and was wrong.",
        "The atomic number of {s} was smudged on the poster.",
        "An experiment with {s} filled the room with a strange smell.",
    ),
}
NEIGHBOUR_MENTIONS = (
    "{S} shares a border with {t}.",
    "The border between {s} and {t} runs through hills.",
    "{n} crossed from {s} into {t} on foot.",
    "A road leads from {s} to its neighbour {t}.",
)
DETAIL_MENTIONS = (
    "To call {s} from abroad, {n} dialled {phone} first.",
    "Web addresses in {s} often end in {domain}.",
)
TARGET_MENTIONS = {
    "capital": (
        "{n} spent a rainy weekend in {o}.",
        "The concert in {o} was sold out within an hour.",
        "{n} missed the last bus home from {o}.",
        "A statue in {o} lost its nose in the storm.",
    ),
    "currency": (
        "{n} found an old coin, a {o}, under the floor.",
        "The {o} fell a little in the morning trade.",
        "{n} keeps one {o} in every coat.",
    ),
    "language": (
        "{n} sings in {o} and counts in {m}'s language.",
        "A poem in {o} hung above the desk.",
        "{n} is learning {o} from old films.",
    ),
}
