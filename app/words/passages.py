"""What a retrieved passage can have to do with a fact: the types, in order (`app.evaluation.types` says how each is
told), and the two sides of a ranking."""

TYPES = {
    "states": "States the fact",
    "both": "Subject and target, not the fact",
    "relation": "Same relation, other entity",
    "target": "Target only",
    "subject": "Subject only",
    "name": "Part of a name",
    "none": "Neither entity nor relation",
}
PROPONENT, OPPONENT = "proponent", "opponent"


def type_name(kind: str) -> str:
    """What people read for a passage's type; one that a file brought is shown as it came."""
    return TYPES.get(kind, kind)
