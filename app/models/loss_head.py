"""The loss's gradient where the blocks end, without autograd through the vocabulary.

    L = -Σ log softmax(W h)[y]        ∂L/∂h = (softmax(W h) - onehot(y)) W

Only positions that predict a loss token pass through W, a chunk at a time: logits of a batch are never whole.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from app.models.losses import Loss

CHUNK_LOGITS = 1 << 20
"""Logits in memory at once where the vocabulary is small (4 MB in float32: about what stays in a core's cache)."""
CHUNK_ROWS = 256
"""Tokens at once where it is large: the head's matrix is read for each chunk, and outgrows the cache by itself."""
MOST_LOGITS = 1 << 24
"""But no more logits than these (64 MB in float32)."""


class LossHead:
    """Runs the model to its loss and gives what the backward pass starts from.

    Most models' logits are a linear map of the last hidden state. Where a probe shows that one's are not
    (soft-capped or scaled logits), the loss is differentiated by autograd through the model's own head.
    """

    def __init__(self, model: Any, loss: Loss) -> None:
        self.model = model
        self.loss = loss
        self.body: Any = self.model.base_model
        self.linear: Any = self.model.get_output_embeddings()
        self.is_linear = self._probe()

    def start(
        self,
        ids: torch.Tensor,
        rows: torch.Tensor,
        labels: torch.Tensor | torch.Generator,
        signs: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Forward pass; the tensor to differentiate and its gradient (None where it is the summed loss).

        Args:
            ids: (n, T). rows: flat positions that predict a loss token. labels: the tokens they predict, or what
                draws each from the model's own distribution. signs: by what each token's loss is multiplied; None: 1.
        """
        if not self.is_linear:
            logits = widened(self.model(input_ids=ids, use_cache=False).logits.flatten(0, 1)[rows])
            chosen = _drawn(logits, labels) if isinstance(labels, torch.Generator) else labels
            losses = token_losses(logits, chosen, self.loss)
            return (losses if signs is None else losses * signs).sum(), None
        hidden = self.body(input_ids=ids, use_cache=False).last_hidden_state
        with torch.no_grad():
            flat = hidden.flatten(0, 1)
            gradient = torch.zeros_like(flat)
            step = tokens_at_once(self.linear.weight.shape[0])
            for at in range(0, len(rows), step):
                part = rows[at : at + step]
                logits = F.linear(flat[part], self.linear.weight, self.linear.bias)
                chosen = (
                    _drawn(logits, labels) if isinstance(labels, torch.Generator) else labels[at : at + step]
                )
                through = self._through(logits, chosen).to(flat.dtype)
                if signs is not None:
                    through *= signs[at : at + step, None]
                gradient[part] = through @ self.linear.weight
        return hidden, gradient.view_as(hidden)

    def _through(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """∂L/∂logits: (tokens, vocabulary)."""
        chosen = labels[:, None]
        if self.loss == "logit":
            return torch.zeros_like(logits, dtype=_wide(logits)).scatter_(1, chosen, -1.0)
        if self.loss == "margin":
            # -log(p/(1-p)) = logsumexp of the others - own logit
            return (
                logits.scatter(1, chosen, -torch.inf)
                .softmax(-1, dtype=_wide(logits))
                .scatter_(1, chosen, -1.0)
            )
        probabilities = logits.softmax(-1, dtype=_wide(logits))
        return probabilities.scatter_add_(1, chosen, probabilities.new_full(chosen.shape, -1.0))

    @torch.no_grad()
    def _probe(self) -> bool:
        weight = getattr(self.linear, "weight", None)
        if not isinstance(self.linear, nn.Linear) or weight is None:
            return False
        ids = torch.arange(8, device=weight.device)[None] % weight.shape[0]
        hidden = getattr(self.body(input_ids=ids, use_cache=False), "last_hidden_state", None)
        if hidden is None or hidden.shape[-1] != weight.shape[1]:
            return False
        logits = self.model(input_ids=ids, use_cache=False).logits
        # The same product, so the same numbers: a soft cap of 30 moves small logits by less than a thousandth.
        return torch.allclose(self.linear(hidden).float(), logits.float(), rtol=1e-6, atol=0.0)


def tokens_at_once(vocabulary: int) -> int:
    """Tokens whose logits are made at once: 256 of a vocabulary of 4,096 or 49,152, 64 of 262,144."""
    return max(1, CHUNK_LOGITS // vocabulary, min(CHUNK_ROWS, MOST_LOGITS // vocabulary))


def token_losses(logits: torch.Tensor, labels: torch.Tensor, loss: Loss) -> torch.Tensor:
    """The loss of each token, (tokens,): -log p, as a margin -log(p / (1-p)), or as a logit that with a minus."""
    if loss == "logit":
        return -logits.gather(1, labels[:, None])[:, 0]
    if loss == "margin":
        others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(-1)
        return others - logits.gather(1, labels[:, None])[:, 0]
    return -logits.log_softmax(-1).gather(1, labels[:, None])[:, 0]


@torch.no_grad()
def _drawn(logits: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """A token for each row of logits, drawn by its probability; on the CPU, so that every device draws alike."""
    probabilities = logits.softmax(-1, dtype=torch.float32).cpu()
    return torch.multinomial(probabilities, 1, generator=draw)[:, 0].to(logits.device)


def _wide(logits: torch.Tensor) -> torch.dtype:
    return torch.promote_types(logits.dtype, torch.float32)


def widened(logits: torch.Tensor) -> torch.Tensor:
    """Logits, or what else must not be rounded, in float32 or more."""
    return logits.to(_wide(logits))
