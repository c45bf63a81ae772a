"""What a ranking was asked, in one sentence: why this, or why this rather than that. Pure."""

from app.words.method import Method
from app.words.methods import method_of


def searched_for(method: str, said: str, contrast: str | None, truth: str | None) -> str:
    """What the method ranked passages by, where more than one text is in question; else nothing.

    Args:
        said: what is explained. contrast: what it was ranked against.
        truth: what is right, where what is explained was said and is wrong.
    """
    entry, this = method_of(method), f"“{said}”"
    if contrast:
        return f"{entry.label} ranks passages by how they make {this} likelier than “{contrast.strip()}”."
    if not truth:
        return ""
    return f"{_alone(entry, this)}: this list does not say why that, and not “{truth.strip()}”."


def _alone(entry: Method, this: str) -> str:
    if entry.kind == "words":
        return f"{entry.label} searches for the words of the prompt and {this}"
    if entry.kind == "meaning":
        return f"{entry.label} searches for what means nearly the same as the prompt and {this}"
    if entry.kind == "control":
        return "These passages were not searched for"
    if entry.kind == "imported":
        return f"The file has one list for {this}"
    return f"{entry.label} ranked passages for {this} alone"


def containing(first: str, second: str) -> tuple[str, str] | None:
    """The shorter and the longer of two answers of which the one begins with the other, at a word's end; else None.

    Whoever says the longer has said the shorter, so the shorter's probability includes the longer's. Inside a word it does
    not follow: “Niger” and “Nigeria” may be tokens of their own.
    """
    shorter, longer = sorted((first.strip(), second.strip()), key=len)
    begins = bool(shorter) and longer.startswith(shorter) and len(longer) > len(shorter)
    return (shorter, longer) if begins and not longer[len(shorter)].isalnum() else None


def included(first: str, *others: str | None) -> str:
    """In words which of these answers' probabilities include one another; nothing where none does."""
    found = next((pair for other in others if other and (pair := containing(first, other))), None)
    if found is None:
        return ""
    shorter, longer = found
    return (
        f"“{longer}” begins with “{shorter}”, so the probability of “{shorter}” includes that of “{longer}”."
    )
