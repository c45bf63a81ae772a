"""A page as the server wrote it -> the same page in a copy that no server stands behind.

Links lead to other files of the copy, relatively. What needs a server goes: forms that send, fragments that are fetched,
other forms of the page, what is marked `data-server` in a template, and links to what is not in the copy, of which only
the words stay where they are read.
"""

import re
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser

from app.publish.paths import own_path

VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
PLACES = ("header", "footer", "nav")  # where a link that leads nowhere has no use
NEEDS_SERVER = ("vendor/", "upload.js")
INDENT = re.compile(r"\s*\n\s*(?=[a-z-]+=\")")  # between attributes, never inside one

_EMPTY = re.compile(
    r"<(nav|p|span)(?: (?![^>]*\bid=)[^>]*)?>\s*</\1>\n?"
)  # whose every link led to what is not there; what has an id may be led to

Attributes = list[tuple[str, str | None]]
Resolve = Callable[[str], str | None]


def rewritten(html: str, resolve: Resolve, extra_head: str) -> str:
    """The page in the copy.

    Args:
        resolve: an address within the site -> how this page names it in the copy; None where it is not there.
        extra_head: markup that ends the head.
    """
    parser = _Rewriter(resolve, extra_head)
    parser.feed(html)
    parser.close()
    return _EMPTY.sub("", "".join(parser.out))


class _Rewriter(HTMLParser):
    def __init__(self, resolve: Resolve, extra_head: str) -> None:
        super().__init__(convert_charrefs=False)
        self.out: list[str] = []
        self._resolve, self._extra_head = resolve, extra_head
        self._dropped: list[str] = []  # open elements, from the dropped one on
        self._links: list[str] = []  # what each open link became: `a`, or what only holds its words
        self._places = 0
        self._keeps_space = 0
        self._drawings = 0

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if self._dropped:
            if tag not in VOID:
                self._dropped.append(tag)
            return
        self._count(tag, 1)
        made = self._tag(tag, dict(attrs))
        if made is None:
            if tag not in VOID:
                self._dropped.append(tag)
                self._count(tag, -1)
            return
        self.out.append(made)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        if not self._dropped:
            self.out.append(self._tag(tag, dict(attrs)) or "")

    def handle_endtag(self, tag: str) -> None:
        if self._dropped:
            if tag in self._dropped:
                while self._dropped.pop() != tag:
                    pass
            return
        self._count(tag, -1)
        if tag == "a" and self._links:
            self.out.append(f"</{self._links.pop()}>")
            return
        if tag == "head":
            self.out.append(self._extra_head)
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._dropped:
            return
        if self._keeps_space or not data.isspace():
            self.out.append(data)
        elif "\n" not in data:
            self.out.append(" ")
        elif not (
            self.out and self.out[-1].endswith("\n")
        ):  # what indents the markup, or stood between what went
            self.out.append("\n")

    def handle_entityref(self, name: str) -> None:
        self._raw(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._raw(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self._raw(f"<!{decl}>")

    def _count(self, tag: str, by: int) -> None:
        """Keep count of the open elements that matter to what stands inside them."""
        self._places += by * (tag in PLACES)
        self._keeps_space += by * (tag in ("pre", "textarea"))
        self._drawings += by * (tag == "svg")

    def _raw(self, text: str) -> None:
        if not self._dropped:
            self.out.append(text)

    def _tag(self, tag: str, attrs: dict[str, str | None]) -> str | None:
        """The start tag as it stands in the copy; None where the element goes."""
        if tag == "form":
            return self._form(attrs)
        if tag == "meta":
            kind = attrs.get("property") or attrs.get("name") or attrs.get("http-equiv") or ""
            return (
                None
                if kind.startswith(("og:", "twitter:", "htmx", "refresh", "description"))
                else self._as_it_was()
            )
        if tag in ("link", "script"):
            return self._loaded(tag, attrs)
        if tag == "a":
            return self._link(attrs)
        if tag == "noscript" or not attrs.keys().isdisjoint(("data-copy", "data-server")):
            return None
        if tag == "button" and attrs.get("id") == "keys":
            return None
        if tag == "aside" and attrs.get("aria-label") == "Prompts nearby":  # its list belongs to a query
            return None
        if any(name.startswith("hx-") for name in attrs):
            return self._made(
                tag, {name: value for name, value in attrs.items() if not name.startswith("hx-")}
            )
        return self._as_it_was()

    def _form(self, attrs: dict[str, str | None]) -> str | None:
        """Only searching is left, which the copy does in the browser."""
        found = self._resolve(attrs.get("action") or "") if attrs.get("role") == "search" else None
        return self._made("form", attrs | {"action": found}) if found else None

    def _loaded(self, tag: str, attrs: dict[str, str | None]) -> str | None:
        place = "href" if tag == "link" else "src"
        address = attrs.get(place) or ""
        if attrs.get("rel") == "canonical" or any(name in address for name in NEEDS_SERVER):
            return None
        found = self._resolve(address)
        return self._made(tag, attrs | {place: found}) if found else None

    def _link(self, attrs: dict[str, str | None]) -> str | None:
        address = attrs.get("href") or ""
        found = self._resolve(address) if own_path(address) is not None else address
        if found is not None:
            self._links.append("a")
            kept = {name: value for name, value in attrs.items() if not name.startswith("hx-")}
            return self._made("a", kept | {"href": found})
        if self._places or "button" in (attrs.get("class") or ""):
            return None
        self._links.append("g" if self._drawings else "span")  # HTML inside a drawing would end it
        return f"<{self._links[-1]}>"

    def _as_it_was(self) -> str:
        return INDENT.sub(" ", self.get_starttag_text() or "")

    @staticmethod
    def _made(tag: str, attrs: dict[str, str | None]) -> str:
        said = "".join(
            f" {name}" if value is None else f' {name}="{escape(value)}"' for name, value in attrs.items()
        )
        return f"<{tag}{said}>"
