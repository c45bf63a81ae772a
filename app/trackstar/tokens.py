"""Which tokens carry an influence, exactly: one number per token, summing to the unnormalised score.

    Ĝ(z_q)·G(z_m) = Σ_t s_t,   G = R^(-1/2) P_d (∇L / √V),   Ĝ = G / ‖G‖

A passage's gradient is a sum in two ways, so there are two splits.

`loss` (default): by the token whose loss it is, L = Σ_t L_t: what a reader means by "this word carries it". The
numbers of all passage tokens are one directional derivative, s_t = ∇L_t · u with u = Pᵀ R^(-1/2) Ĝ(z_q) / √V,
taken in forward mode: one pass for all tokens of all passages. Prompt tokens of a query have no loss, so only its
completion is split.

`position`: by the place in the network, ∇_W L = Σ_t δ_t x_tᵀ. Every token of prompt and completion has a number, but
the weight falls on the token *before* the one predicted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch.func import functional_call, jvp
from torch.nn.attention import SDPBackend, sdpa_kernel

from app.errors import UserError
from app.models.batching import length_batches, pad
from app.models.examples import Located, TrainingExample
from app.models.loss_head import token_losses, widened
from app.models.text import Query
from app.trackstar.encode import Encoder
from app.trackstar.projection import ProjectedWeight, direction
from app.words.roles import Lesson

Split = Literal["loss", "position"]
Weighted = list[tuple[int, int, float]]


@dataclass(frozen=True)
class TokenInfluence:
    """Token by token influence of one passage on one query.

    Args:
        passage: (start, end, value) by character offsets in the passage. The end-of-text token, which has no
            characters, stands at the end as (n, n, value). Of a pair what is rejected counts as it does: subtracted.
        query: the same in `query.joined`, the text as the model reads it; empty where another completion is subtracted.
        score: Ĝ(z_q)·G(z_m), the sum of either side.
        split: `loss` or `position`.
    """

    passage: Weighted
    query: Weighted
    score: float
    split: Split


def token_influence(
    encoder: Encoder, query: Query, passage: Lesson, *, split: Split = "loss"
) -> TokenInfluence:
    """The tokens of one passage and one query; see `token_influences`."""
    return token_influences(encoder, query, [passage], split=split)[0]


def token_influences(
    encoder: Encoder,
    query: Query,
    passages: Sequence[Lesson],
    *,
    other: Query | None = None,
    split: Split = "loss",
) -> list[TokenInfluence]:
    """The tokens of several passages and of the query for each, in one go.

    Args:
        other: rather than which the query's completion is explained, see `app.models.contrast`.

    Raises:
        UserError: the query cannot be traced, or the tokenizer does not tell where its tokens stand.
    """
    texts = encoder.model.texts
    asked = texts.located_query(query)
    read = [texts.located_passage(passage) for passage in passages]
    examples = [one.example for one in read]
    against = texts.query(other) if other else None
    g_query = encoder.whiten(encoder.against([asked.example], [against]))[0]
    g_passages = encoder.whiten(encoder.gradients(examples))
    length = float(g_query.double().norm()) if encoder.method.unit_norm else 1.0
    if not length > 0:
        raise UserError(
            "The query has no gradient.", field="completion", remedy="Ask about another completion."
        )
    # R^(-1/2) is symmetric: Ĝ(z_q)·R^(-1/2) x = (R^(-1/2) Ĝ(z_q))·x.
    toward_query = encoder.whiten(g_query[None] / length)[0]
    if split == "loss":
        of_passages = _by_loss(encoder, examples, toward_query)
    else:
        of_passages = [
            _split(example, _by_position(encoder, example, toward_query[None])[0]) for example in examples
        ]
    of_query = [None] * len(read) if other else _of_query(encoder, asked.example, g_passages / length, split)
    scores = (g_passages.double() @ g_query.double() / length).tolist()
    return [
        TokenInfluence(
            passage=_placed(one, values, split),
            query=_placed(asked, [mine], split) if mine is not None else [],
            score=score,
            split=split,
        )
        for one, values, mine, score in zip(read, of_passages, of_query, scores, strict=True)
    ]


def _by_loss(
    encoder: Encoder, examples: Sequence[TrainingExample], toward: torch.Tensor
) -> list[list[torch.Tensor]]:
    """For each sequence of each example (T,) directional derivatives of its tokens' losses; zero where a token has none."""
    alone = iter(_by_loss_alone(encoder, [one for each in examples for one in each.sequences], toward))
    return [
        [sign * next(alone) for sign, _ in zip((1, -1), each.sequences, strict=False)] for each in examples
    ]


def _by_loss_alone(
    encoder: Encoder, examples: Sequence[TrainingExample], toward: torch.Tensor
) -> list[torch.Tensor]:
    model = encoder.model.model
    blocks = toward.view(encoder.method.blocks, encoder.method.projection_dim, -1).to(encoder.model.device)
    weights, along = {}, {}
    for one in encoder.projected:
        weights[one.weight.name] = one.weight.module.get_parameter("weight")
        along[one.weight.name] = one.weight.oriented(direction(one, blocks[one.block]))
    out = [torch.zeros(len(example.ids), dtype=torch.float64) for example in examples]
    for batch in length_batches([example.size for example in examples], encoder.batch_tokens):
        ids = pad([examples[row] for row in batch], encoder.model.device)

        def losses(values: dict[str, torch.Tensor], ids: torch.Tensor = ids) -> torch.Tensor:
            logits = functional_call(model, values, kwargs={"input_ids": ids, "use_cache": False}).logits
            kept = widened(logits[:, :-1].flatten(0, 1))
            return token_losses(kept, ids[:, 1:].flatten(), encoder.method.loss).view(len(ids), -1)

        # Forward-mode derivatives exist for attention written out, not for its fused kernels.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            slopes = jvp(losses, (weights,), (along,))[1]
        for row, slope in zip(batch, slopes.double().cpu(), strict=True):
            places = torch.tensor(examples[row].targets)
            out[row][places] = slope[places - 1]
    return out


def _of_query(
    encoder: Encoder, example: TrainingExample, passages: torch.Tensor, split: Split
) -> Sequence[torch.Tensor | None]:
    if split == "loss":
        return _query_by_loss(encoder, example, passages)
    return _by_position(encoder, example, encoder.whiten(passages))


def _query_by_loss(encoder: Encoder, example: TrainingExample, passages: torch.Tensor) -> list[torch.Tensor]:
    """For each passage (T,): the gradient of one loss token at a time, against G(z_m) / ‖G(z_q)‖."""
    prefixes = [TrainingExample(example.ids[: place + 1], (place,)) for place in example.targets]
    rows = encoder.whiten(encoder.gradients(prefixes)).double()
    out = torch.zeros(len(passages), len(example.ids), dtype=torch.float64)
    out[:, list(example.targets)] = passages.double() @ rows.T
    return list(out)


class _Positions:
    """The sink that adds up δ_tᵀ U x_t for each position, for each of several directions."""

    def __init__(self, projected: Sequence[ProjectedWeight], blocks: torch.Tensor) -> None:
        self.projected, self.blocks = projected, blocks  # blocks (k, blocks, p, p)
        self.values = torch.zeros(())

    def begin(self, examples: int) -> None:
        """Start from zero."""
        self.values = torch.zeros(())

    def forward(self, at: int, x: torch.Tensor) -> torch.Tensor:
        """The inputs, projected where V is factored."""
        one = self.projected[at]
        return F.linear(x, one.right) if one.inverse_root is None else x

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None:
        """Adds this weight's part, (k, n, T)."""
        one = self.projected[at]
        middle = self.blocks[:, one.block]
        if one.inverse_root is None:
            left = F.linear(gradient, one.left).float()
            part = torch.einsum("ntp,kpq,ntq->knt", left, middle, kept.float())
        else:
            part = torch.stack([(gradient * F.linear(kept, direction(one, m))).sum(-1) for m in middle])
        self.values = self.values + part.double().cpu()


def _by_position(encoder: Encoder, example: TrainingExample, toward: torch.Tensor) -> list[torch.Tensor]:
    """For each direction (k, d), (T,) numbers for the example's positions, of a pair those of both sequences."""
    if not example.targets:
        return [torch.zeros(len(example.ids), dtype=torch.float64) for _ in toward]
    shape = (len(toward), encoder.method.blocks, encoder.method.projection_dim, encoder.method.projection_dim)
    sink = _Positions(encoder.projected, toward.view(shape).to(encoder.model.device))
    encoder.capture.run([example], sink)
    return list(sink.values[:, 0])


def _split(example: TrainingExample, values: torch.Tensor) -> list[torch.Tensor]:
    """The numbers of an example's positions, sequence by sequence."""
    rows = values.unflatten(0, (len(example.sequences), -1))
    return [row[: len(one.ids)] for row, one in zip(rows, example.sequences, strict=True)]


def _placed(one: Located, values: Sequence[torch.Tensor], split: Split) -> Weighted:
    """Numbers at their tokens' places; the start token stands at 0, the end token where the text ends."""
    placed = []
    for sequence, offsets, own in zip(
        one.example.sequences, (one.offsets, one.against), values, strict=False
    ):
        end = max((place[1] for place in offsets if place), default=0)
        for at in sequence.targets if split == "loss" else range(len(sequence.ids)):
            start, stop = offsets[at] or ((0, 0) if at == 0 else (end, end))
            placed.append((start, stop, float(own[at])))
    return placed
