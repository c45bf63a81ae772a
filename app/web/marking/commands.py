"""Commands in what we say: between backticks, as a terminal shows them, and as code on a page."""

from markupsafe import Markup

from app.web.marking.highlight import mark


def commands(text: str) -> Markup:
    """The text, escaped, with what stands between two backticks as code; a single one stays as it is."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts[-2:] = ["`".join(parts[-2:])]
    return Markup("").join(
        Markup("<code>{}</code>").format(mark(part)) if at % 2 else mark(part)
        for at, part in enumerate(parts)
    )
