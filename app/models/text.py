"""Text to tokens: the one place that says what a passage and a query are to the model.

    passage = BOS + tokens(text) + EOS, cut at the context; the loss is over every token after the first
    query   = BOS + tokens(prompt) + tokens(completion); the loss is over the completion (or a span of it)

BOS and EOS stand if the tokenizer has them, each once: special tokens are never left to the tokenizer's
own template, which some tokenizers add and some do not. Halves of characters (lone surrogates), which web text has
and tokenizers refuse, are read as U+FFFD, one for one. Where a tokenizer puts a space before every text by itself, a
completion is given to it without the one that stands between it and its prompt.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.errors import UserError

_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Query:
    """A prompt and the completion whose probability is traced.

    Args:
        span: character offsets within `completion`; the loss is over the tokens that touch it. None: over all.
    """

    prompt: str
    completion: str
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class Example:
    """What the model reads: token ids, and the positions (≥ 1) of the tokens whose loss is taken.

    Args:
        cut: the text was longer than the context, its end was left out.
    """

    ids: tuple[int, ...]
    targets: tuple[int, ...]
    cut: bool = False


@dataclass(frozen=True)
class Located:
    """An example with, for every token, its character offsets in the text it came from (None: BOS, EOS)."""

    example: Example
    offsets: tuple[tuple[int, int] | None, ...]


def readable(text: str) -> str:
    """The text as a tokenizer takes it, every character in its place."""
    return _HALF.sub("\ufffd", text)


def spaced(prompt: str, completion: str) -> str:
    """The completion as it follows the prompt: with one leading space unless the border has one already."""
    bare = not prompt or prompt[-1].isspace() or not completion or completion[0].isspace()
    return completion if bare else f" {completion}"


@lru_cache(8)
def adds_space(tokenizer: Any) -> bool:
    """Whether a tokenizer puts a space before any text, one that begins with a space too (as SentencePiece did)."""
    bare, given = tokenizer(["a", " a"], add_special_tokens=False)["input_ids"]
    return bool(bare) and bare != given and str(tokenizer.convert_ids_to_tokens(bare)[0]).startswith("\u2581")


class Texts:
    """Turns text into examples for one tokenizer and context length (in tokens)."""

    def __init__(self, tokenizer: Any, context: int) -> None:
        self.tokenizer = tokenizer
        self.context = context
        self.start = () if tokenizer.bos_token_id is None else (int(tokenizer.bos_token_id),)
        self.end = () if tokenizer.eos_token_id is None else (int(tokenizer.eos_token_id),)

    @property
    def marks(self) -> dict[str, list[int]]:
        """The tokens that stand around a passage, for the manifest: the tokenizer's settings decide them, not its files."""
        return {"start": list(self.start), "end": list(self.end)}

    def passages(self, texts: Sequence[str]) -> list[Example]:
        """One example per text; a blank text has no targets, so that it encodes to zero."""
        return [self._passage(text, ids) for text, ids in zip(texts, self._ids(texts), strict=True)]

    def located_passage(self, text: str) -> Located:
        """A passage with its tokens' places.

        Raises:
            UserError: the tokenizer does not know where its tokens come from.
        """
        ids, places = self._places(text)
        example = self._passage(text, ids)
        marks = [None] * len(self.start) + list(places) + [None] * len(self.end)
        return Located(example, tuple(marks[: len(example.ids)]))

    def prompt(self, prompt: str) -> tuple[int, ...]:
        """BOS + tokens(prompt): what the model completes."""
        return (*self.start, *self._ids([prompt])[0])

    def completion(self, prompt: str, completion: str) -> tuple[int, ...]:
        """The completion's tokens. Tokenised apart from the prompt, so that their border is stable."""
        return tuple(self._ids([self._after(spaced(prompt, completion))])[0])

    def query(self, query: Query) -> Example:
        """The example of a query; a prompt too long for the context loses its beginning.

        Raises:
            UserError: the completion is empty or longer than the context, or nothing is left to predict.
        """
        completion = self.completion(query.prompt, query.completion)
        return self._query(query, completion, self._chosen(query, completion))

    def located_query(self, query: Query) -> Located:
        """A query with its tokens' places in `prompt + spaced(prompt, completion)`.

        Raises:
            UserError: as `query`, or the tokenizer does not know where its tokens come from.
        """
        example = self.query(query)
        completion = self._places_after(spaced(query.prompt, query.completion))
        border = len(query.prompt)
        places = [*self._places(query.prompt)[1], *((border + a, border + b) for a, b in completion)]
        start = [None] * len(self.start)
        return Located(example, (*start, *places[len(places) + len(start) - len(example.ids) :]))

    def _passage(self, text: str, ids: Sequence[int]) -> Example:
        if not text.strip():
            return Example((), ())
        whole = (*self.start, *ids, *self.end)
        kept = whole[: self.context]
        return Example(kept, tuple(range(1, len(kept))), cut=len(whole) > len(kept))

    def _query(self, query: Query, completion: tuple[int, ...], chosen: Sequence[int]) -> Example:
        if not completion:
            raise UserError(
                "The completion is empty.", field="completion", remedy="Give the text to be explained."
            )
        prompt = self._ids([query.prompt])[0] if query.prompt else []
        room = self.context - len(completion) - len(self.start)
        if room < (0 if self.start else 1):
            raise UserError(
                f"The completion has {len(completion)} tokens, the model's context {self.context}.",
                field="completion",
                remedy="Shorten it.",
            )
        before = (*self.start, *(prompt[-room:] if room else ()))
        targets = tuple(len(before) + place for place in chosen if len(before) + place > 0)
        if not targets:
            raise UserError(
                "Nothing is left to predict: no token stands before the completion.",
                field="prompt",
                remedy="Give a prompt; this tokenizer has no start token.",
            )
        return Example((*before, *completion), targets)

    def _chosen(self, query: Query, completion: Sequence[int]) -> Sequence[int]:
        if query.span is None:
            return range(len(completion))
        start, end = query.span
        if not 0 <= start < end <= len(query.completion):
            raise UserError(
                f"The span {start}–{end} is not within the completion's {len(query.completion)} characters.",
                field="span",
                remedy="Give a start before the end, both within the completion.",
            )
        places = self._completion_places(query)
        chosen = [place for place, (first, last) in enumerate(places) if first < end and last > start]
        if not chosen:
            raise UserError(
                "The span touches no token.", field="span", remedy="Choose at least one character of text."
            )
        return chosen

    def _completion_places(self, query: Query) -> list[tuple[int, int]]:
        text = spaced(query.prompt, query.completion)
        shift = len(text) - len(query.completion)
        return [(max(0, start - shift), max(0, end - shift)) for start, end in self._places_after(text)]

    def _after(self, text: str) -> str:
        """What is tokenised for a text that follows another."""
        return text[1:] if text.startswith(" ") and adds_space(self.tokenizer) else text

    def _places_after(self, text: str) -> list[tuple[int, int]]:
        asked = self._after(text)
        cut = len(text) - len(asked)
        return [(start + cut, end + cut) for start, end in self._places(asked)[1]]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        asked = [readable(text) for text in texts]
        return self.tokenizer(asked, add_special_tokens=False, verbose=False)["input_ids"]

    def _places(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        if not getattr(self.tokenizer, "is_fast", False):
            raise UserError(
                "This model's tokenizer does not tell where in the text its tokens stand.",
                remedy="Save a fast tokenizer (tokenizer.json) in the model directory.",
            )
        asked = readable(text)
        made = self.tokenizer(asked, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return made["input_ids"], [(int(start), int(end)) for start, end in made["offset_mapping"]]
