"""The colour of each method, as a stylesheet: one wherever it is drawn or named."""

from app.words.methods import METHODS, OTHER_COLOURS


def stylesheet() -> str:
    """CSS: the class of each method sets `--method`, the colour it has wherever it is drawn or named."""
    rules = [
        f".{method.css}{{--method:light-dark({', '.join(method.colour)})}}" for method in METHODS.values()
    ]
    rules += [
        f".method-other-{at}{{--method:light-dark({', '.join(colour)})}}"
        for at, colour in enumerate(OTHER_COLOURS)
    ]
    return "\n".join(rules) + "\n"
