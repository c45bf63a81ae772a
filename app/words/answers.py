"""Where the answer ends in what a model went on to say: at the end of its clause. One rule, for runs and traces.

What follows the clause is another thought ("2, said Freya"), often with a name of its own: it is kept and shown, but the
passages behind it are not those behind the answer.
"""

import re
from typing import Final

SAID: Final = "said"
TARGET: Final = "target"
BOTH: Final = "both"  # two runs side by side
EXPLAINS = (TARGET, SAID)  # what a run may explain
TRUTH: Final = "truth"  # rather than which a run of what was said explains what was wrong
_LINE_ENDS = "\n\r\x0b\x0c\x85\u2028\u2029"
_STOPS = frozenset("!?。！？…؟۔।॥" + _LINE_ENDS)
_WIDE_COMMAS = frozenset("、，；：")
_CLAUSE = re.compile(r"(?:[,;:]|\s[–—-])+(?=[\s、，；：]|$)")
_BEFORE = re.compile(r"(\S+)\s+(\S+)\.$")  # the word before the one that a full stop follows
_NEXT = re.compile(r"\s+(\S+)")
_TITLES = "St Mt Ft Dr Mr Mrs Ms Prof Gen Col Capt Lt Sgt Rev Hon Pres Gov Sen No vs cf approx ca"
_SHORTENED = frozenset(_TITLES.split(" "))
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")  # `U.S`, `e.g`


def sentence_end(text: str) -> int:
    """Where the first sentence of a continuation ends: before its mark, or at a line's end.

    A full stop ends none inside a number or name (`3.5`), after an abbreviation that a word follows (`St. Petersburg`) and
    between the initials of a name (`George W. Bush`). Marks before the first letter or digit end nothing: a
    continuation may begin with them.
    """
    for at, sign in enumerate(text):
        ends = sign in _STOPS or (sign == "." and _is_full_stop(text, at))
        if ends and _has_word(text[:at]):
            return at
    return len(text)


def answer_end(text: str) -> int:
    """Where the answer ends: the first clause of the first sentence, which has at least a letter or a digit."""
    end = sentence_end(text)
    marks = [found.start() for found in _CLAUSE.finditer(text, 0, end)]  # `$` is the sentence's end
    marks += [at for at, sign in enumerate(text[:end]) if sign in _WIDE_COMMAS]
    return next((at for at in sorted(marks) if at < end and _has_word(text[:at])), end)


def answer_of(text: str) -> str:
    """The answer by itself, without the space it begins with."""
    return text[: answer_end(text)].strip()


def _has_word(text: str) -> bool:
    return any(sign.isalnum() for sign in text)


def _is_full_stop(text: str, at: int) -> bool:
    after = _NEXT.match(text, at + 1)
    if after is None:
        return not text[at + 1 : at + 2].isalnum()
    word = re.split(r"\s", text[:at])[-1]
    if word in _SHORTENED or (_DOTTED.fullmatch(word) and after[1][0].islower()):
        return False
    return not (_is_initial(word) and _in_a_name(text[: at + 1], after[1]))


def _is_initial(word: str) -> bool:
    return len(word) == 1 and word.isupper()


def _in_a_name(text: str, following: str) -> bool:
    """Whether an initial stands between a name's other parts: a capital before it or another initial after it."""
    before = _BEFORE.search(text)
    named = before is not None and before[1][0].isupper()
    return following[0].isupper() and (named or _is_initial(following.rstrip(".")))
