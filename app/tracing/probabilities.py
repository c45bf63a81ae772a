"""How likely each token of a completion was, given all before it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from app.models.batching import length_batches, pad, predicting
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.models.loss_head import widened
from app.models.text import Query
from app.tracing.trace_results import Completion, CompletionToken

BATCH_TOKENS = 4096


@torch.no_grad()
def log_probabilities(model: LoadedModel, queries: Sequence[Query]) -> list[tuple[float, int]]:
    """Of each query's completion, given its prompt: the natural logarithm of its probability, and of how many tokens.

    Raises:
        UserError: a query cannot be traced (see `Texts.query`).
    """
    values = _token_log_probabilities(model, [model.texts.query(query) for query in queries])
    return [(float(logs.sum()), len(logs)) for logs, _ in values]


@torch.no_grad()
def completions(model: LoadedModel, queries: Sequence[Query]) -> list[Completion]:
    """Each query's completion, token by token; `probability` is the joint one of the target's tokens.

    Raises:
        UserError: a query cannot be traced (see `Texts.query`).
    """
    texts = model.texts
    targets = [texts.query(query) for query in queries]
    whole = [texts.located_query(replace(query, span=None)) for query in queries]
    values = _token_log_probabilities(model, [one.example for one in whole])
    made = []
    for query, target, one, (logs, firsts) in zip(queries, targets, whole, values, strict=True):
        # Located counts characters of prompt and completion joined; here they count from the completion's start.
        border = len(query.prompt)
        tokens = []
        for at, log, first in zip(one.example.targets, logs.tolist(), firsts.tolist(), strict=True):
            start, end = (place - border for place in one.offsets[at] or (border, border))
            text, id_ = query.completion[start:end], one.example.ids[at]
            tokens.append(
                CompletionToken(
                    id=id_, first=first, text=text, start=start, end=end, probability=math.exp(log)
                )
            )
        chosen = set(target.targets)
        joint = sum(float(log) for at, log in zip(one.example.targets, logs, strict=True) if at in chosen)
        made.append(Completion(text=query.completion, tokens=tokens, probability=math.exp(joint)))
    return made


def _token_log_probabilities(
    model: LoadedModel, examples: Sequence[TrainingExample]
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For each example (targets,) log p of its target tokens, float64, and whether each is the likeliest."""
    out = [(torch.zeros(0), torch.zeros(0))] * len(examples)
    for batch in length_batches([len(example.ids) for example in examples], BATCH_TOKENS):
        asked = [examples[row] for row in batch]
        rows, labels, _ = predicting(asked, model.device)
        logits = model.model(input_ids=pad(asked, model.device), use_cache=False).logits.flatten(0, 1)
        spread = widened(logits[rows]).log_softmax(-1)
        logs = spread.gather(1, labels[:, None])[:, 0]
        sizes = [len(example.targets) for example in asked]
        parts = (logs.double().cpu().split(sizes), (logs == spread.amax(-1)).cpu().split(sizes))
        for row, part, firsts in zip(batch, *parts, strict=True):
            out[row] = (part, firsts)
    return out
