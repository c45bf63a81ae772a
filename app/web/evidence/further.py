"""What a form beside an answer asks about it: which of its words. Pure."""

import re
from collections.abc import Sequence

from app.errors import UserError

_PART = re.compile(r"(\d{1,6})-(\d{1,6})")


def chosen_span(fields: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """The characters of the completion from the first to the last part that was chosen.

    Args:
        fields: of the form; each `part` is `START-END`.

    Raises:
        UserError: none was chosen.
    """
    found = [_PART.fullmatch(value) for name, value in fields if name == "part"]
    places = [(int(each[1]), int(each[2])) for each in found if each]
    if not places:
        raise UserError("No word was chosen.", remedy="Choose at least one word of the answer.", field="part")
    return min(start for start, _ in places), max(end for _, end in places)
