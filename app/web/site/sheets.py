"""A style sheet is one file to a browser and several to who edits it: `@import "app/base.css";` stands for that file's text,
`@import "methods.css";` for the colours of the methods. It is sent without its comments and indentation.
"""

import re

from app.paths import STATIC
from app.web.site.colours import stylesheet

COLOURS = "methods.css"
_PART = re.compile(r'^@import "((?:[a-z]+/)?[a-z]+\.css)";$', re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_INDENT = re.compile(r"\s*\n\s*")


def content(name: str) -> bytes:
    """A file of static/ as it is served: a style sheet with its parts in it.

    Raises:
        OSError: there is no such file.
    """
    raw = (STATIC / name).read_bytes()
    if not name.endswith(".css"):
        return raw
    whole = _PART.sub(lambda part: _text(part[1]), raw.decode())
    return (_INDENT.sub("\n", _COMMENT.sub("", whole)).strip() + "\n").encode()


def is_part(name: str) -> bool:
    """Whether it is served within another file: `app/base.css` within `app.css`."""
    folder, _, rest = name.partition("/")
    return rest.endswith(".css") and (STATIC / f"{folder}.css").is_file()


def _text(name: str) -> str:
    return stylesheet() if name == COLOURS else (STATIC / name).read_text(encoding="utf-8")
