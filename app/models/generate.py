"""The model goes on from a prompt: greedily and by sampling, with each token's probability.

Prompts of equal length share a batch, so nothing is padded and an answer never depends on what it was batched
with; samples draw from numbers seeded by their own prompt, for the same reason.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from app.errors import UserError
from app.models.load import LoadedModel
from app.models.spelling import Spelled
from app.words.answers import sentence_end

BATCH = 128  # sequences
DRAWS = 6  # of a sample that is no text, then its broken characters are left out
_HALF = "\ufffd"  # what a tokenizer decodes bytes to that are no character


@dataclass(frozen=True)
class Generated:
    """What the model says next, greedily: whole tokens up to the end of its sentence; and samples.

    Args:
        text: as it follows the prompt, with the space it begins with, if any.
        tokens: ids, those that were generated; `probabilities` (0..1) are theirs, each given all before it.
        samples: texts as they follow the prompt, up to the end of their sentence.
    """

    text: str
    tokens: tuple[int, ...]
    probabilities: list[float]
    samples: list[str]


def complete(
    model: LoadedModel,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 24,
    samples: int = 0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Generated]:
    """Continue each prompt up to the end of its sentence.

    Raises:
        UserError: a prompt leaves no room for a single token.
    """
    starts = [start_of(model, prompt) for prompt in prompts]
    by_length: dict[int, list[int]] = {}
    for row, start in enumerate(starts):
        by_length.setdefault(len(start), []).append(row)
    out: list[Generated | None] = [None] * len(prompts)
    done = 0
    size = max(1, BATCH // (1 + samples))
    for length, rows in sorted(by_length.items()):
        new = min(max_new_tokens, model.context - length)
        for piece in (rows[at : at + size] for at in range(0, len(rows), size)):
            ids = torch.tensor([starts[row] for row in piece], device=model.device)
            said, chances = _continue(model, ids, new, None)
            drawn = _draw(model, ids, new, [prompts[row] for row in piece], samples, seed)
            for at, row in enumerate(piece):
                spelled = _sentence(model, said[at])
                used = len(spelled.places)
                out[row] = Generated(
                    spelled.text,
                    tuple(said[at][:used]),
                    chances[at][:used],
                    drawn[at * samples : (at + 1) * samples],
                )
            done += len(piece)
            if progress:
                progress(done, len(prompts))
    return [each for each in out if each is not None]


def start_of(model: LoadedModel, prompt: str) -> tuple[int, ...]:
    """The tokens that the model continues.

    Raises:
        UserError: they leave no room for a single token.
    """
    start = model.texts.prompt(prompt)
    if not start or len(start) >= model.context:
        raise UserError(
            f"The prompt has {len(start)} tokens; the model reads {model.context}, its answer included.",
            field="prompt",
            remedy="Shorten it." if start else "Give some text.",
        )
    return start


def _draw(
    model: LoadedModel, ids: torch.Tensor, new: int, prompts: Sequence[str], samples: int, seed: int
) -> list[str]:
    """`samples` continuations of each of the (n, T) ids, whole characters all of them.

    A vocabulary of bytes can say bytes that are no text, and a model trained with smoothed labels does so a few times
    in a thousand tokens. Such a sample is drawn again, by numbers of its own prompt's: what is left is what the model
    says, given that it is text.
    """
    texts = [_HALF] * (len(ids) * samples)
    for attempt in range(DRAWS):
        broken = [at for at, text in enumerate(texts) if _HALF in text]
        if not broken:
            break
        numbers = np.concatenate([_uniform(prompt, seed, attempt, samples, new) for prompt in prompts])
        uniform = torch.from_numpy(numbers[broken]).to(model.device)
        again, _ = _continue(model, ids.repeat_interleave(samples, 0)[broken], new, uniform)
        for at, tokens in zip(broken, again, strict=True):
            texts[at] = _sampled(model, tokens).rstrip(
                _HALF
            )  # the limit of tokens may have cut the last character
    return [text.replace(_HALF, "") for text in texts]


@torch.no_grad()
def _continue(
    model: LoadedModel, ids: torch.Tensor, new: int, uniform: torch.Tensor | None
) -> tuple[list[list[int]], list[list[float]]]:
    """Continuations of (n, T) ids, with their probabilities: greedy, or drawn by inverse distribution with `uniform` (n, new)."""
    end = model.tokenizer.eos_token_id
    network = model.model
    state = network(input_ids=ids, use_cache=True)
    chosen: list[torch.Tensor] = []
    chances: list[torch.Tensor] = []
    ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    for step in range(new):
        odds = state.logits[:, -1].float().softmax(-1)
        if uniform is None:
            token = odds.argmax(-1)
        else:
            edge = uniform[:, step, None].float()
            token = (odds.cumsum(-1) < edge).sum(-1).clamp_max(odds.shape[1] - 1)
        chosen.append(token)
        chances.append(odds.gather(1, token[:, None])[:, 0])
        if end is not None:
            ended |= token == end
        if step + 1 == new or ended.all() or (step % 4 == 3 and _all_over(model, chosen)):
            break
        state = network(input_ids=token[:, None], past_key_values=state.past_key_values, use_cache=True)
    continued, probabilities = [], []
    for tokens, values in zip(torch.stack(chosen, 1).tolist(), torch.stack(chances, 1).tolist(), strict=True):
        used = tokens.index(end) if end in tokens else len(tokens)
        continued.append(tokens[:used])
        probabilities.append(values[:used])
    return continued, probabilities


def _sentence(model: LoadedModel, tokens: list[int]) -> Spelled:
    """The tokens up to the end of their sentence: all that stand before its sign, or share a token with it."""
    spelled = model.texts.spelled(tokens)
    cut = sentence_end(spelled.text)
    places = [place for place in spelled.places if place[0] < cut] or list(spelled.places[:1])
    return Spelled(spelled.text[: places[-1][1]] if places else "", tuple(places))


def _sampled(model: LoadedModel, tokens: list[int]) -> str:
    text = model.texts.spelled(tokens).text
    return text[: sentence_end(text)]


def _all_over(model: LoadedModel, chosen: list[torch.Tensor]) -> bool:
    texts = model.tokenizer.batch_decode(torch.stack(chosen, 1).tolist(), skip_special_tokens=False)
    end = model.tokenizer.eos_token or "\0"
    return all(end in text or sentence_end(text) < len(text) for text in texts)


def _uniform(prompt: str, seed: int, attempt: int, samples: int, new: int) -> np.ndarray:
    """(samples, new) numbers in [0, 1) that depend on the prompt, the seed and the attempt only."""
    named = f"{seed}.{attempt}" if attempt else f"{seed}"
    key = hashlib.sha256(f"{named}\0{prompt}".encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(key[:8], "big")).random((samples, new), dtype=np.float32)
