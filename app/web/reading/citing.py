"""How to cite an example: BibTeX and plain text, with everything needed to find and check it."""

import re
from dataclasses import dataclass
from datetime import datetime

from app.store.origins import NOTHING_SAID, Origin
from app.web.evidence.card_text import clean
from app.words.chat_text import spoken
from app.words.cutting import cut

PAPER = """@article{chang2024scalable,
  title = {Scalable Influence and Fact Tracing for Large Language Model Pretraining},
  author = {Chang, Tyler A. and Rajagopal, Dheeraj and Bolukbasi, Tolga and Dixon, Lucas and Tenney, Ian},
  journal = {arXiv preprint arXiv:2410.17413},
  year = {2024}
}
"""

_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


@dataclass(frozen=True)
class Cited:
    """What a citation names: a passage list of a run, or (`kind`) of a trace. `url` is the permalink, `when` the day it was
    made."""

    prompt: str
    target: str
    run: str
    method: str
    model: str
    corpus: str
    key: str
    url: str
    when: datetime
    model_origin: Origin = NOTHING_SAID
    corpus_origin: Origin = NOTHING_SAID
    instead: str | None = None  # rather than what the target is explained
    kind: str = "run"
    configuration: str = ""  # hash of the run's configuration, to tell equal names apart


def tex(text: str) -> str:
    """`text` as BibTeX shows it: TeX's own signs escaped, on one line."""
    return "".join(_TEX.get(c, c) for c in clean(text))


def bibtex(cited: Cited) -> str:
    """One `@misc` entry for the example, and the paper's."""
    key = re.sub(
        r"[^a-z0-9-]+", "-", "-".join(part for part in ("startrail", cited.run, cited.key) if part).lower()
    ).strip("-")[:80]
    url = re.sub(r"[{}\\]", "", cited.url).replace("%", r"\%")
    return (
        f"@misc{{{key},\n"
        f"  title = {{{{{tex(_title(cited))}}}}},\n"
        f"  author = {{{{Startrail}}}},\n"
        f"  year = {{{cited.when.year}}},\n"
        f"  howpublished = {{\\url{{{url}}}}},\n"
        f"  note = {{{tex(_note(cited))}}}\n"
        f"}}\n\n{PAPER}"
    )


def plain(cited: Cited) -> str:
    """One sentence for a footnote."""
    return f"{_title(cited)} {_note(cited)}. {cited.when:%Y-%m-%d}. {cited.url}\n"


def _title(cited: Cited) -> str:
    said = cut(f"{clean(spoken(cited.prompt))} {clean(cited.target.strip())}".strip(), 160)
    rather = f" rather than “{cut(clean(cited.instead), 60)}”" if cited.instead else ""
    return f"Training passages behind “{said}”{rather}."


def _note(cited: Cited) -> str:
    parts = [
        f"Startrail {cited.kind} {cited.run}",
        f"method {cited.method}",
        f"model {cited.model}{_origin(cited.model_origin)}",
        f"corpus {cited.corpus}{_origin(cited.corpus_origin)}",
    ]
    if cited.configuration:
        parts.append(f"configuration {cited.configuration}")
    return clean(", ".join(parts))


def _origin(said: Origin) -> str:
    """` (Ann Author; CC-BY-4.0; https://…)`: who made it, under which licence, and where it can be had."""
    parts = (cut(clean(part).rstrip("."), 120) for part in (said.author, said.licence, said.source))
    known = "; ".join(part for part in parts if part)
    return f" ({known})" if known else ""
