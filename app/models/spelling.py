"""What tokens say after others, and where. Knows no torch.

A tokenizer decodes some tokens otherwise at the beginning of a text than within it (SentencePiece drops the first
space), and a character may take several tokens. So tokens are decoded after a letter, and together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Decode = Callable[[list[int]], str]
LETTER = "a"  # not the prompt: halves of characters after it would spoil how its own last bytes are read


@dataclass(frozen=True)
class Spelled:
    """The text of some tokens, and for each of them its characters there; several may share one character."""

    text: str
    places: tuple[tuple[int, int], ...]


def spell(decode: Decode, letter: Sequence[int], tokens: Sequence[int]) -> Spelled:
    """What `tokens` say where they go on from other text.

    Args:
        letter: the token ids of `LETTER`.
    """
    known = list(letter)
    border = len(decode(known))
    whole = decode([*known, *tokens])[border:]
    places, done = [], 0
    for count in range(1, len(tokens) + 1):
        sure = (
            len(whole) if count == len(tokens) else _common(decode([*known, *tokens[:count]])[border:], whole)
        )
        sure = max(sure, done)
        part_of_one = sure == done and done < len(whole) and count < len(tokens)
        places.append((done, done + 1 if part_of_one else sure))
        done = sure
    return Spelled(whole, tuple(places))


def _common(text: str, whole: str) -> int:
    """How many characters of `text` stay what they are when more tokens follow."""
    pairs = enumerate(zip(text, whole, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(text), len(whole)))
