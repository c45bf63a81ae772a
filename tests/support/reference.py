"""TrackStar as the paper writes it, by brute force: whole per-example gradients by `torch.func`, in float64.

Shares nothing with the fast path but the projection's matrices and the tokens.
"""

from collections.abc import Sequence

import torch
from torch.func import functional_call, grad

from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.trackstar.config import EncodingConfig
from app.trackstar.projection import gaussian


def example_gradients(
    loaded: LoadedModel, example: TrainingExample, loss: str = "cross_entropy"
) -> dict[str, torch.Tensor]:
    """∇L for every parameter, by name, as stored."""
    model = loaded.model
    parameters = {name: p.detach().double() for name, p in model.named_parameters()}
    buffers = {name: b.double() if b.is_floating_point() else b for name, b in model.named_buffers()}
    ids = torch.tensor([example.ids])

    def total(values: dict[str, torch.Tensor]) -> torch.Tensor:
        logits = functional_call(
            model, {**values, **buffers}, kwargs={"input_ids": ids, "use_cache": False}
        ).logits[0]
        summed = torch.zeros((), dtype=torch.float64)
        for place in example.targets:
            logp = torch.log_softmax(logits[place - 1].double(), -1)[ids[0, place]]
            summed = summed - (logp if loss == "cross_entropy" else logp - torch.log1p(-logp.exp()))
        return summed

    return grad(total)(parameters)


def projected(
    loaded: LoadedModel,
    examples: Sequence[TrainingExample],
    method: EncodingConfig,
    v: dict[str, torch.Tensor] | None,
) -> torch.Tensor:
    """P_d(∇L / √V), (n, d). `v` has full matrices in the orientation of y = W x."""
    each = [example_gradients(loaded, example, method.loss) for example in examples]
    return projected_gradients(loaded, each, method, v)


def projected_gradients(
    loaded: LoadedModel,
    each: Sequence[dict[str, torch.Tensor]],
    method: EncodingConfig,
    v: dict[str, torch.Tensor] | None,
) -> torch.Tensor:
    """P_d(∇L / √V) of gradients by parameter, (n, d)."""
    p, rows = method.projection_dim, []
    layers = loaded.layers
    for gradients in each:
        out = torch.zeros(method.groups, 2, p, p, dtype=torch.float64)
        for w in loaded.weights:
            g = gradients[w.name]
            g = g.T if w.transposed else g
            if v is not None:
                g = g / v[w.name].double().sqrt()
            left = gaussian(method.seed, w.name, "out", p, g.shape[0])
            right = gaussian(method.seed, w.name, "in", p, g.shape[1])
            out[w.layer * method.groups // layers, int(w.kind == "mlp")] += left @ g @ right.T
        rows.append(out.flatten())
    return torch.stack(rows)


def whitened(rows: torch.Tensor, fitted_on: torch.Tensor, method: EncodingConfig) -> torch.Tensor:
    """R^(-1/2) by a different road than the fast path: the matrix power of the damped block by SVD."""
    size = method.projection_dim**2
    parts = []
    for at in range(0, rows.shape[1], size):
        phi = fitted_on[:, at : at + size]
        r = phi.T @ phi / len(phi)
        r = r + method.damping * r.diagonal().mean() * torch.eye(size, dtype=torch.float64)
        u, s, _ = torch.linalg.svd(r)
        parts.append(rows[:, at : at + size] @ (u / s.sqrt()) @ u.T)
    return torch.cat(parts, 1)


def unit(rows: torch.Tensor) -> torch.Tensor:
    """Rows divided by their length."""
    return rows / rows.norm(dim=1, keepdim=True)
