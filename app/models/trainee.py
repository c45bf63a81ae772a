"""A model that is trained: which of its parameters change, what the loss of a batch is, and how it is saved.

With LoRA the linear weights that are traced each get two thin matrices, and only these change; else everything does.
Texts, completions and chats: mean cross-entropy over the batch's tokens that carry loss. Preference pairs: DPO
(Rafailov et al. 2023), -log σ(β (m - m₀)), m = log p(chosen) - log p(rejected), m₀ that of the model it began as.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from app.errors import UserError
from app.models.batching import length_batches, pad, predicting
from app.models.checkpoint import CONFIG, OPTIMIZER_FILES, read_checkpoint
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.models.loss_head import widened
from app.models.updating import logp_of
from app.models.weights import layers_of

OWN = ("training.json", "trainer_state.json", "training_args.bin", "order.jsonl", "scheduler.pt", "README.md")
"""Files of the base that say how it was trained, not what it is."""


class Trainee:
    """A model with the parameters that are trained.

    Args:
        rank: of the LoRA matrices; 0: all parameters are trained.
        beta: of DPO.
        batch_tokens: read at once; a batch of more is read in parts and its gradients are added up.
        seed: of what LoRA's matrices begin as.

    Raises:
        UserError: LoRA is asked for and peft is not installed, or the model has an adapter already.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        rank: int,
        *,
        layers: int = 0,
        beta: float = 0.1,
        batch_tokens: int = 4096,
        seed: int = 0,
    ) -> None:
        if loaded.adapted:
            raise UserError(
                f"{loaded.path.name} has an adapter already.",
                field="model",
                remedy="Train its base, or a model into which the adapter was merged.",
            )
        self.loaded, self.beta, self.batch_tokens = loaded, beta, batch_tokens
        torch.manual_seed(seed)
        self.adapter: Any = _with_lora(loaded, rank, layers) if rank else None
        if not rank:
            loaded.model.requires_grad_(True)
        self.trained = {name: value for name, value in loaded.model.named_parameters() if value.requires_grad}

    def margins(self, examples: Sequence[TrainingExample]) -> list[float]:
        """log p(chosen) - log p(rejected) of each pair, as the model is now; of others 0."""
        pairs = [at for at, example in enumerate(examples) if example.against]
        logs = iter(logp_of(self.loaded, [each for at in pairs for each in examples[at].sequences]))
        found = dict.fromkeys(range(len(examples)), 0.0) | {at: next(logs) - next(logs) for at in pairs}
        return list(found.values())

    def backward(self, batch: Sequence[TrainingExample], references: Sequence[float]) -> float:
        """Adds the gradients of a batch's loss to those of the parameters, and returns the loss.

        Args:
            references: of pairs, the margin of the model that the training began with.
        """
        tokens = sum(len(example.targets) for example in batch if not example.against)
        pairs = sum(example.against is not None for example in batch)
        total = 0.0
        for part in length_batches([example.size for example in batch], self.batch_tokens):
            losses = self._losses([batch[at] for at in part])
            loss = losses.new_zeros(())
            for at, own in zip(part, losses, strict=True):
                if batch[at].against:
                    loss = loss - F.logsigmoid(self.beta * (-own - references[at])) / pairs
                else:
                    loss = loss + own / tokens
            loss.backward()
            total += float(loss.detach())
        return total

    def save(self, out: Path) -> None:
        """Writes the model into the directory `out`: whole, or the adapter with links to its base."""
        base = self.loaded.path
        if self.adapter is None:
            self.loaded.model.save_pretrained(out)  # type: ignore[operator]  # a transformers model
            self.loaded.tokenizer.save_pretrained(out)
            return
        self.adapter.save_pretrained(out)
        for file in _base_files(base):
            if not (out / file.name).exists():
                (out / file.name).symlink_to(file.resolve())

    def weights(self) -> dict[str, torch.Tensor]:
        """The trained parameters, by name."""
        return {name: value.detach().clone() for name, value in self.trained.items()}

    @torch.no_grad()
    def put(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Sets the trained parameters."""
        for name, value in self.trained.items():
            value.copy_(weights[name])

    def _losses(self, examples: Sequence[TrainingExample]) -> torch.Tensor:
        """Summed cross-entropy of each example; of a pair what is rejected subtracted."""
        device = self.loaded.device
        at, labels, signs = predicting(examples, device)
        logits = self.loaded.model(input_ids=pad(examples, device), use_cache=False).logits
        each = F.cross_entropy(widened(logits.flatten(0, 1)[at]), labels, reduction="none")
        each = each if signs is None else each * signs
        sizes = [sum(len(one.targets) for one in example.sequences) for example in examples]
        return torch.stack([part.sum() for part in each.split(sizes)])


def _with_lora(loaded: LoadedModel, rank: int, layers: int) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise UserError(
            "peft, which makes adapters, is not installed.",
            field="lora",
            remedy="Install it: pip install 'startrail[adapters]', or train all weights with --whole.",
        ) from None
    names = _adapted(loaded, layers)
    transposed = any(weight.transposed for weight in loaded.weights)
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.0,
        target_modules=names,
        fan_in_fan_out=transposed,
        task_type="CAUSAL_LM",
    )
    made: Any = get_peft_model(loaded.model, config)
    made.peft_config["default"].base_model_name_or_path = str(loaded.path.resolve())
    return made.eval()


def _adapted(loaded: LoadedModel, layers: int) -> list[str]:
    """The modules that get matrices: on all blocks by their short names, on the last `layers` each by its whole name."""
    if not layers:
        return sorted({weight.name.split(".")[-2] for weight in loaded.weights})
    if layers > loaded.layers:
        raise UserError(
            f"The model has {loaded.layers} blocks.", field="layers", remedy=f"Give {loaded.layers} or fewer."
        )
    last = layers_of(loaded.weights)[-layers:]
    return [weight.name.removesuffix(".weight") for weight in loaded.weights if weight.layer in last]


def _base_files(base: Path) -> Iterator[Path]:
    files = read_checkpoint(base)
    for place in dict.fromkeys([files.base, files.tokenizer]):
        for file in sorted(place.iterdir()):
            own = place == files.base or (file.name != CONFIG and file.suffix != ".safetensors")
            if file.is_file() and own and file.name not in (*OWN, *OPTIMIZER_FILES) and file.name[0] != ".":
                yield file
