"""A style sheet is one file to a browser and several to who edits it: `@import "app/base.css";` stands for that file's text."""

import re

from app.paths import STATIC

_PART = re.compile(r'^@import "([a-z]+/[a-z]+\.css)";$', re.MULTILINE)


def content(name: str) -> bytes:
    """A file of static/ as it is served: a style sheet with its parts in it.

    Raises:
        OSError: there is no such file.
    """
    raw = (STATIC / name).read_bytes()
    if not name.endswith(".css"):
        return raw
    return _PART.sub(lambda part: _text(part[1]).rstrip(), raw.decode()).encode()


def is_part(name: str) -> bool:
    """Whether it is served within another file: `app/base.css` within `app.css`."""
    folder, _, rest = name.partition("/")
    return rest.endswith(".css") and (STATIC / f"{folder}.css").is_file()


def _text(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
