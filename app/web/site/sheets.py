"""A style sheet is one file to a browser and several to who edits it: `@import "app/base.css";` stands for that file's text,
`@import "methods.css";` for the colours of the methods. Sheets and our scripts are sent without comments and indentation.
"""

import re

from app.paths import STATIC
from app.web.site.colours import stylesheet

COLOURS = "methods.css"
_PART = re.compile(r'^@import "((?:[a-z]+/)?[a-z]+\.css)";$', re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_INDENT = re.compile(r"\s*\n\s*")
_COLON = re.compile(r"^([\w-]+): ", re.MULTILINE)  # of a declaration; one in a string stays as it is
_BROKEN = re.compile(r"(?<=[{};,])\n| (?=\{$)", re.MULTILINE)
_REMARK = re.compile(r"^\s*//.*\n|^\s+", re.MULTILINE)  # a line of its own, or the indentation of one


def content(name: str) -> bytes:
    """A file of static/ as it is served: a style sheet with its parts in it, a script of ours without its remarks.

    Raises:
        OSError: there is no such file.
    """
    raw = (STATIC / name).read_bytes()
    if name.endswith(".css"):
        whole = _PART.sub(lambda part: _text(part[1]), raw.decode())
        lines = _INDENT.sub("\n", _COMMENT.sub("", whole)).strip()
        return (_BROKEN.sub("", _COLON.sub(r"\1:", lines)) + "\n").encode()
    return _REMARK.sub("", raw.decode()).encode() if is_own_script(name) else raw


def is_own_script(name: str) -> bool:
    """Whether it is a script that is written here; what others made is sent to the byte."""
    return name.endswith(".js") and "/" not in name


def is_part(name: str) -> bool:
    """Whether it is served within another file: `app/base.css` within `app.css`."""
    folder, _, rest = name.partition("/")
    return rest.endswith(".css") and (STATIC / f"{folder}.css").is_file()


def _text(name: str) -> str:
    return stylesheet() if name == COLOURS else (STATIC / name).read_text(encoding="utf-8")
