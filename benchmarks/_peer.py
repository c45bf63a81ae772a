"""bergson, the peer, in process and as its own pipeline runs it; nothing of ours depends on it.

The same weights and factored second moments, its own two-sided projection of the same p per weight, its own
batches under the same token budget.
"""

import logging
import os
import tempfile
from collections.abc import Callable, Sequence

import torch

from app.models.examples import TrainingExample
from app.trackstar.moments import Factored, Moments


def bergson_encoder(
    model: torch.nn.Module, moments: Moments, p: int, budget: int
) -> tuple[str, Callable[[Sequence[TrainingExample]], object]] | None:
    """Its name with its version and what encodes passages with it, or None where it cannot be imported."""
    try:
        import bergson
        from bergson.collector.collector import CollectorComputer
        from bergson.data import allocate_batches
        from bergson.gradients import AdafactorNormalizer
        from datasets import Dataset
    except ImportError as error:
        print(f"bergson is not measured: {error}")
        return None
    logging.disable(logging.INFO)
    os.environ["TQDM_DISABLE"] = "1"
    inner = model.base_model_prefix
    normalizers = {
        name.removeprefix(f"{inner}.").removesuffix(".weight"): AdafactorNormalizer(value.row, value.col)
        for name, value in moments.values.items()
        if isinstance(value, Factored)
    }

    def encode(examples: Sequence[TrainingExample]) -> object:
        with tempfile.TemporaryDirectory() as folder:
            config = bergson.IndexConfig(run_path=folder, projection_dim=p)
            config.partial_run_path.mkdir(parents=True, exist_ok=True)
            data = Dataset.from_dict({"input_ids": [list(e.ids) for e in examples]})
            data = data.add_column("length", [len(e.ids) for e in examples])
            processor = bergson.GradientProcessor(normalizers=normalizers, projection_dim=p)
            collector = bergson.InMemoryCollector(
                model=model.base_model,
                cfg=config,
                processor=processor,
                data=data,
                target_modules=set(normalizers),
            )
            batches = allocate_batches([len(e.ids) for e in examples], budget)
            CollectorComputer(
                model, data, collector=collector, batches=batches, cfg=config
            ).run_with_collector_hooks()
            return collector.gradients

    return f"bergson {bergson.__version__}", encode
