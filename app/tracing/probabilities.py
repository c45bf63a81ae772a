"""How likely each token of a completion was, given all before it."""

import math
from collections.abc import Sequence

import torch

from app.models.batching import length_batches, pad, predicting
from app.models.head import widened
from app.models.load import LoadedModel
from app.models.text import Example, Query, spaced
from app.tracing.results import Completion, Token

BATCH_TOKENS = 4096


@torch.no_grad()
def completions(model: LoadedModel, queries: Sequence[Query]) -> list[Completion]:
    """Each query's completion, token by token; `probability` is the joint one of the target's tokens.

    Raises:
        UserError: a query cannot be traced (see `Texts.query`).
    """
    texts = model.texts
    targets = [texts.query(query) for query in queries]
    whole = [texts.located_query(Query(query.prompt, query.completion)) for query in queries]
    values = _token_log_probabilities(model, [one.example for one in whole])
    made = []
    for query, target, one, logs in zip(queries, targets, whole, values, strict=True):
        # Located counts characters of prompt and completion joined; here they count from the completion's start.
        border = len(query.prompt) + len(spaced(query.prompt, query.completion)) - len(query.completion)
        tokens = []
        for at, log in zip(one.example.targets, logs, strict=True):
            start, end = (max(0, place - border) for place in one.offsets[at] or (0, 0))
            text = query.completion[start:end]
            tokens.append(Token(text=text, start=start, end=end, probability=float(log.exp())))
        chosen = set(target.targets)
        joint = sum(float(log) for at, log in zip(one.example.targets, logs, strict=True) if at in chosen)
        made.append(Completion(text=query.completion, tokens=tokens, probability=math.exp(joint)))
    return made


def _token_log_probabilities(model: LoadedModel, examples: Sequence[Example]) -> list[torch.Tensor]:
    """For each example (targets,) log p of its target tokens, float64."""
    out: list[torch.Tensor] = [torch.zeros(0)] * len(examples)
    for batch in length_batches([len(example.ids) for example in examples], BATCH_TOKENS):
        asked = [examples[row] for row in batch]
        rows, labels = predicting(asked, model.device)
        logits = model.model(input_ids=pad(asked, model.device), use_cache=False).logits.flatten(0, 1)
        logs = widened(logits[rows]).log_softmax(-1).gather(1, labels[:, None])[:, 0].double().cpu()
        for row, part in zip(batch, logs.split([len(example.targets) for example in asked]), strict=True):
            out[row] = part
    return out
