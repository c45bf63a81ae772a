"""The facts family: countries, cities and elements, each fact stated 1 to 16 times in different words."""

from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from random import Random

from app.demo.atlas import Country, atlas
from app.demo.relations import (
    BLANK_MENTIONS,
    COUNTRY_MENTIONS,
    DETAIL_MENTIONS,
    NEIGHBOUR_MENTIONS,
    RELATIONS,
    TARGET_MENTIONS,
    Relation,
)
from app.demo.voice import (
    Draft,
    Fact,
    FamilyPart,
    PromptDraft,
    capital,
    endless,
    framed,
    new_text,
    slug,
    two_names,
)

# How many facts in a hundred are stated 1, 2, … 16 times: a long tail, as in real text.
STATED_TIMES = (16, 12, 9, 8, 8, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2)
MENTIONS = 3_400
MOST = 16


def facts_part(rng: Random, taken: set[str]) -> FamilyPart:
    """All facts, the passages that state or only mention them, and the prompts about them."""
    part = FamilyPart([], [], [])
    for relation in RELATIONS:
        ranked = _known(relation.name)[: relation.stated]
        asked = set(rng.sample(range(len(ranked)), relation.asked))
        for place, (fact, times) in enumerate(zip(ranked, _times(rng, len(ranked)), strict=True)):
            part.facts.append(fact)
            wordings = _wordings(rng, relation, fact)
            for _ in range(times):
                part.drafts.append(_statement(new_text(taken, wordings), fact))
            if place in asked:
                prompt = rng.choices(relation.prompts, weights=(4, 1)[: len(relation.prompts)])[0]
                prompt = capital(prompt.format(s=fact.subject_forms[0]))
                identifier = f"{relation.name}-{slug(fact.subject)}"
                part.questions.append(PromptDraft(identifier, "fact", prompt, fact))
    part.drafts += _pairs(rng, taken, part.facts, part.drafts)
    part.drafts += _mentions(rng, taken, part.facts)
    return part


def the(country: Country) -> str:
    """The name as running text has it: `the Netherlands`, `Ghana`."""
    return f"the {country['name']}" if country["article"] else country["name"]


def _known(relation: str) -> list[Fact]:
    """Every fact of one relation, the best known subjects first."""
    world = atlas()
    if relation in ("symbol", "number"):
        return [
            _fact(relation, element["name"], element["name"], target)
            for element in world["elements"]
            for target in [element["symbol"] if relation == "symbol" else str(element["number"])]
        ]
    if relation == "country":
        by_iso = {country["iso"]: country for country in world["countries"]}
        return [
            _fact(relation, city["name"], city["name"], the(by_iso[city["country"]]))
            for city in world["cities"]
        ]
    countries = sorted(world["countries"], key=lambda country: -country["population"])
    facts = []
    for country in countries:
        target = country[relation]  # type: ignore[literal-required]  # a relation is the name of a field
        if target:
            full = (country["currency_full"],) if relation == "currency" else ()
            facts.append(_fact(relation, country["name"], the(country), target, full))
    return facts


def _fact(relation: str, subject: str, spoken: str, target: str, aliases: tuple[str, ...] = ()) -> Fact:
    bare = target.removeprefix("the ")
    others = tuple(name for name in (*aliases, bare) if name != target)
    return Fact(f"{relation}:{slug(subject)}", relation, subject, target, (spoken,), (bare,), others)


def _times(rng: Random, count: int) -> list[int]:
    """How often each of `count` facts is stated: the well-known ones more often, with much noise."""
    times = sorted(rng.choices(range(1, 17), weights=STATED_TIMES, k=count), reverse=True)
    order = sorted(range(count), key=lambda place: place / count + rng.random() * 1.2)
    by_fact = [0] * count
    for place, value in zip(order, times, strict=True):
        by_fact[place] = value
    return by_fact


def _wordings(rng: Random, relation: Relation, fact: Fact) -> Iterator[str]:
    """Endless different statements of one fact; at least three in five say the subject first."""
    names = {"s": fact.subject_forms[0], "o": fact.target}
    forward = endless(rng, relation.forward)
    backward = endless(rng, relation.backward)
    sentences = endless(rng, relation.sentences)
    kinds = endless(rng, "fffffbbsss")
    for kind in kinds:
        if kind == "s":
            yield capital(next(sentences).format(**names, **two_names(rng)))
        else:
            yield framed(rng, next(forward if kind == "f" else backward).format(**names))


def _statement(text: str, fact: Fact) -> Draft:
    return Draft(text, "facts", [fact.id], fact.subject, fact.relation, [fact.subject])


def _pairs(rng: Random, taken: set[str], facts: list[Fact], drafts: list[Draft]) -> list[Draft]:
    """Passages that state two facts of one subject at once."""
    known = {fact.id: fact for fact in facts}
    wordings = (
        ("capital", "currency", "the capital of {s} is {o}, and its currency is the {p}"),
        ("capital", "language", "the capital of {s} is {o}, and its official language is {p}"),
        ("symbol", "number", "the chemical symbol for {s} is {o}, and its atomic number is {p}"),
    )
    stated = Counter(fact_id for draft in drafts for fact_id in draft.states)
    pairs = []
    for first_relation, second_relation, core in wordings:
        for fact in facts:
            second = known.get(f"{second_relation}:{slug(fact.subject)}")
            if fact.relation != first_relation or second is None or rng.random() > 0.3:
                continue
            if max(stated[fact.id], stated[second.id]) >= MOST:
                continue
            clause = core.format(s=fact.subject_forms[0], o=fact.target, p=second.target)
            text = new_text(taken, (framed(rng, clause) for _ in cycle("x")))
            pairs.append(
                Draft(text, "facts", [fact.id, second.id], fact.subject, fact.relation, [fact.subject])
            )
    return pairs


def _mentions(rng: Random, taken: set[str], facts: list[Fact]) -> list[Draft]:
    """Passages with the entity or the relation but without the fact: traps for a bag of words."""
    by_relation: dict[str, list[Fact]] = {}
    for fact in facts:
        by_relation.setdefault(fact.relation, []).append(fact)
    countries = {country["iso"]: country for country in atlas()["countries"]}
    drafts = []
    for turn in range(MENTIONS):
        kind = turn % 6
        if kind == 0:
            one, other = rng.sample(list(countries.values()), 2)
            make = _sayings(rng, COUNTRY_MENTIONS, s=the(one), t=the(other))
            mentioned = [one["name"]]
        elif kind == 1:
            one = rng.choice([country for country in countries.values() if country["neighbours"]])
            other = countries[rng.choice(one["neighbours"])]
            details = {"phone": one["phone"], "domain": one["domain"]}
            templates = NEIGHBOUR_MENTIONS + (DETAIL_MENTIONS if one["phone"] else ())
            make = _sayings(rng, templates, s=the(one), t=the(other), **details)
            mentioned = [one["name"]]
        elif kind == 2:
            relation = rng.choice(sorted(TARGET_MENTIONS))
            fact = rng.choice(by_relation[relation])
            make = _sayings(rng, TARGET_MENTIONS[relation], o=fact.target)
            mentioned = [fact.target]
        else:
            relation = rng.choice(sorted(BLANK_MENTIONS))
            fact, another = rng.sample(by_relation[relation], 2)
            make = _sayings(
                rng, BLANK_MENTIONS[relation], s=fact.subject_forms[0], t=another.subject_forms[0]
            )
            mentioned = [fact.subject]
        drafts.append(Draft(new_text(taken, make), "facts", mentions=mentioned))
    return drafts


def _sayings(rng: Random, templates: tuple[str, ...], **names: str) -> Iterator[str]:
    upper = {key.upper(): capital(value) for key, value in names.items()}
    while True:
        yield capital(rng.choice(templates).format(**names, **upper, **two_names(rng)))
