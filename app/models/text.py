"""Text to tokens: the one place that says what a passage and a query are to the model.

    passage = BOS + tokens(text) + EOS, cut at the context; the loss is over every token after the first; of one with
              roles over those that were learned (`app.models.lessons`)
    query   = BOS + tokens(prompt) + completion's tokens; the loss is over the completion (or a span of it)

The border of prompt and completion is kept: a completion that the model wrote is the tokens it wrote, and one that is
given is tokenised as text that goes on from the prompt, which it follows as it is (`app.words.joining` says where a space
stands before a prompt set's target). Nothing of a query is ever cut: one too long is refused.

What stands for BOS and EOS, if anything, `app.models.marks` says; each stands once. Halves of characters (lone
surrogates), which web text has and tokenizers refuse, are read as U+FFFD, one for one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

from tokenizers import Tokenizer

from app.errors import UserError
from app.models.continuing import continuing
from app.models.examples import Located, TrainingExample
from app.models.lessons import Placed, located_lesson
from app.models.marks import Marks
from app.models.rows import within
from app.models.spelling import LETTER, Spelled, spell
from app.words.answers import SAID, answer_end
from app.words.joining import follow
from app.words.roles import Lesson

_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Query:
    """A prompt and the completion whose probability is traced.

    Args:
        completion: as it follows the prompt, with the space it begins with, if any.
        span: character offsets within `completion`; the loss is over the tokens that touch it. None: over all.
        tokens: the completion's token ids, where they are known because the model wrote them; None: the tokenizer's.
    """

    prompt: str
    completion: str
    span: tuple[int, int] | None = None
    tokens: tuple[int, ...] | None = None

    @classmethod
    def of_target(cls, prompt: str, target: str) -> Self:
        """A prompt of a set with its target, which is a word (see `app.words.joining.follow`)."""
        return cls(prompt, follow(prompt, target))

    @classmethod
    def explaining(
        cls,
        explains: str,
        prompt: str,
        target: str,
        said: str | None,
        tokens: Sequence[int] | None,
        *,
        answer: str | None = None,
        whole: bool = False,
    ) -> Self:
        """What a run asks of a prompt: its target, or the answer in what the model `said` (`app.words.answers`).

        Args:
            explains: `said` or `target`; of a model that said nothing, the target.
            said: as it follows the prompt, with its `tokens`.
            answer: what it said, where that is all that is known.
            whole: all of it is the answer, for it was chosen, not written.
        """
        if explains != SAID or not said or not tokens:
            return cls.of_target(prompt, answer if explains == SAID and answer else target)
        end = len(said) if whole else answer_end(said)
        return cls(prompt, said, (0, end) if end < len(said) else None, tuple(tokens))

    @property
    def explained(self) -> str:
        """The part of the completion that is traced, from its beginning, as it follows the prompt."""
        return self.completion[: self.span[1] if self.span else None]

    @property
    def joined(self) -> str:
        """The text that the model reads."""
        return self.prompt + self.completion


def readable(text: str) -> str:
    """The text as a tokenizer takes it, every character in its place."""
    return _HALF.sub("\ufffd", text)


@lru_cache(8)
def _continuing(tokenizer: Any) -> Tokenizer:
    return continuing(tokenizer.backend_tokenizer)


class Texts:
    """Turns text into examples for one tokenizer, context length (in tokens), way to mark texts and `rows` of embedding.

    Raises:
        UserError: then and later, a token has no row.
    """

    def __init__(
        self, tokenizer: Any, context: int, marks: Marks | None = None, rows: int | None = None
    ) -> None:
        self.tokenizer = tokenizer
        self.context = context
        self.marks = Marks.of(tokenizer) if marks is None else marks
        self.start, self.end = self.marks.start, self.marks.end
        self.rows = rows
        within(tokenizer, (*self.start, *self.end), rows)

    def passages(self, passages: Sequence[Lesson]) -> list[TrainingExample]:
        """One example per passage; a blank one has no targets, so that it encodes to zero.

        Raises:
            UserError: one has roles, and cannot be read: see `app.models.lessons`.
        """
        plain = iter(self._ids([passage for passage in passages if isinstance(passage, str)]))
        return [
            self._passage(passage, next(plain))
            if isinstance(passage, str)
            else located_lesson(self, passage).example
            for passage in passages
        ]

    def located_passage(self, passage: Lesson) -> Located:
        """A passage with its tokens' places.

        Raises:
            UserError: the tokenizer does not know where its tokens come from, or as `passages`.
        """
        if not isinstance(passage, str):
            return located_lesson(self, passage)
        ids, places = self.placed(passage)
        example = self._passage(passage, ids)
        marks = [None] * len(self.start) + list(places) + [None] * len(self.end)
        return Located(example, tuple(marks[: len(example.ids)]))

    def placed(self, text: str) -> Placed:
        """The tokens of a text with their places, nothing around them.

        Raises:
            UserError: the tokenizer does not know where its tokens come from.
        """
        self._must_locate()
        made = self.tokenizer(
            readable(text), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        ids = within(self.tokenizer, made["input_ids"], self.rows)
        return ids, [(int(start), int(end)) for start, end in made["offset_mapping"]]

    def continued(self, prompt: str, completion: str) -> Placed:
        """The tokens of what follows a prompt with their places in it.

        Raises:
            UserError: as `placed`.
        """
        query = Query(prompt, completion)
        return self.completion(query), self._completion_places(query)

    def prompt(self, prompt: str) -> tuple[int, ...]:
        """BOS + tokens(prompt): what the model completes. The templates of many models write BOS before a chat themselves."""
        ids = tuple(self._ids([prompt])[0])
        return ids if ids[: len(self.start)] == self.start else (*self.start, *ids)

    def completion(self, query: Query) -> tuple[int, ...]:
        """The tokens of a query's completion, after the prompt's own."""
        return query.tokens if query.tokens is not None else self._continued(query)

    def spelled(self, tokens: Sequence[int]) -> Spelled:
        """What tokens say where they go on from other text."""
        return spell(self._decode, self._continued(Query("", LETTER)), tokens)

    def query(self, query: Query) -> TrainingExample:
        """The example of a query.

        Raises:
            UserError: the completion is empty, prompt and completion are longer than the context, or nothing is left
                to predict.
        """
        completion = self.completion(query)
        return self._query(query, completion, self._chosen(query, completion))

    def located_query(self, query: Query) -> Located:
        """A query with its tokens' places in `query.joined`.

        Raises:
            UserError: as `query`, or the tokenizer does not know where its tokens come from.
        """
        example = self.query(query)
        border = len(query.prompt)
        after = [(border + start, border + end) for start, end in self._completion_places(query)]
        own = self.placed(query.prompt)[1]
        added = len(self.prompt(query.prompt)) - len(own)
        return Located(example, (*[None] * added, *own, *after))

    def _passage(self, text: str, ids: Sequence[int]) -> TrainingExample:
        if not text.strip():
            return TrainingExample((), ())
        whole = (*self.start, *ids, *self.end)
        kept = whole[: self.context]
        return TrainingExample(kept, tuple(range(1, len(kept))), cut=len(whole) > len(kept))

    def _query(self, query: Query, completion: tuple[int, ...], chosen: Sequence[int]) -> TrainingExample:
        if not completion:
            raise UserError(
                "The completion is empty.", field="completion", remedy="Give the text to be explained."
            )
        before = self.prompt(query.prompt) if query.prompt else self.start
        if len(before) + len(completion) > self.context:
            raise UserError(
                f"The prompt has {len(before):,} tokens and the completion {len(completion):,}; the model reads"
                f" {self.context:,} together.",
                field="prompt" if len(completion) < self.context / 2 else "completion",
                remedy="Shorten it.",
            )
        targets = tuple(len(before) + place for place in chosen if len(before) + place > 0)
        if not targets:
            raise UserError(
                "Nothing is left to predict: no token stands before the completion.",
                field="prompt",
                remedy="Give a prompt; no start token stands before it.",
            )
        return TrainingExample((*before, *completion), targets)

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

    def _completion_places(self, query: Query) -> Sequence[tuple[int, int]]:
        if query.tokens is not None:
            return self.spelled(query.tokens).places
        self._must_locate()
        return list(
            _continuing(self.tokenizer).encode(readable(query.completion), add_special_tokens=False).offsets
        )

    def _continued(self, query: Query) -> tuple[int, ...]:
        if self._fast:
            text = readable(query.completion)
            ids = _continuing(self.tokenizer).encode(text, add_special_tokens=False).ids
            return tuple(within(self.tokenizer, ids, self.rows))
        before, together = self._ids([query.prompt, query.joined])
        if together[: len(before)] != before:
            raise UserError(
                "This model's tokenizer joins the end of the prompt and the beginning of the completion in one token.",
                field="completion",
                remedy="Save a fast tokenizer (tokenizer.json) in the model directory, or end the prompt at a word.",
            )
        return tuple(together[len(before) :])

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        asked = [readable(text) for text in texts]
        made: list[list[int]] = self.tokenizer(asked, add_special_tokens=False, verbose=False)["input_ids"]
        for ids in made:
            within(self.tokenizer, ids, self.rows)
        return made

    def _decode(self, ids: Sequence[int]) -> str:
        if self._fast:
            return str(self.tokenizer.backend_tokenizer.decode(list(ids), skip_special_tokens=True))
        return str(
            self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    @property
    def _fast(self) -> bool:
        return bool(getattr(self.tokenizer, "is_fast", False))

    def _must_locate(self) -> None:
        if not self._fast:
            raise UserError(
                "This model's tokenizer does not tell where in the text its tokens stand.",
                remedy="Save a fast tokenizer (tokenizer.json) in the model directory.",
            )
