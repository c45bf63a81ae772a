"""What a retrieved passage can have to do with a fact: the types, in order (`app.evaluation.types` says how each is
told), and the two sides of a ranking."""

TYPES = {
    "states": "States the fact",
    "both": "Names subject and answer, not the fact",
    "relation": "Same relation, other entity",
    "target": "Shares only the answer",
    "subject": "Shares only the subject",
    "name": "Shares part of a name",
    "none": "Shares neither name nor relation",
}
PROPONENT, OPPONENT = "proponent", "opponent"


def type_name(kind: str) -> str:
    """What people read for a passage's type; one that a file brought is shown as it came."""
    return TYPES.get(kind, kind)
