"""Terms of the field in what we say: the first time that one stands in a text, it leads to what it means."""

import re

from markupsafe import Markup

from app.web.marking.highlight import mark
from app.web.site import urls
from app.words.glossary import SPELLINGS

_TERMS = {spelling: term for term, spellings in SPELLINGS.items() for spelling in spellings}
_LONGEST_FIRST = "|".join(re.escape(each) for each in sorted(_TERMS, key=len, reverse=True))
_SPELLED = re.compile(rf"(?<![\w+-])(?:{_LONGEST_FIRST})(?![\w-])")


def with_terms(text: str) -> Markup:
    """Our own words, escaped, with a link at the first place of each term. Not for what people and models wrote."""
    parts, at, seen = [Markup()], 0, set()
    for found in _SPELLED.finditer(text):
        term = _TERMS[found[0]]
        if term not in seen:
            seen.add(term)
            link = Markup('<a class="term" href="{}">{}</a>').format(urls.glossary(term), found[0])
            parts += [mark(text[at : found.start()]), link]
            at = found.end()
    return Markup().join([*parts, mark(text[at:])])
