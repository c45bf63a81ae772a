"""Reads an optimizer's saved state beside the weights and names its tensors by parameter.

`optimizer.safetensors`: keys `PARAMETER.row_var`, `.col_var`, `.variance`, `.exp_avg_sq`, `.exp_avg`; the
metadata has the optimizer's settings. `optimizer.pt`: what a Hugging Face `Trainer` saves, where parameters
are only numbers, counted group by group (those with weight decay first, then those without).
"""

import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from app.errors import UserError
from app.models.adapters import own_parameters
from app.models.checkpoint import OPTIMIZER_FILES

WRAPPED = "base_model.model."  # before a parameter's name where a model was trained inside of peft's
SUFFIXES = ("row_var", "col_var", "variance", "exp_avg_sq", "exp_avg")
# Other names of the same tensors: transformers.optimization.Adafactor.
RENAMED = {"exp_avg_sq_row": "row_var", "exp_avg_sq_col": "col_var"}
NO_DECAY = re.compile(r"bias|(^|[._])(layer)?norm|rmsnorm|norm([._]|$)|ln_?\w*\.weight", re.IGNORECASE)


@dataclass(frozen=True)
class OptimizerState:
    """The state of every parameter the optimizer holds.

    Args:
        entries: parameter name -> tensors by the names of `SUFFIXES`, in the parameter's own orientation.
        optimizer: `adafactor` or `adamw`.
        settings: the optimizer's own (`lr`, `betas`, `eps`, `weight_decay`, `beta2_decay`, `d`), by parameter name.
        step: steps taken.
    """

    entries: Mapping[str, Mapping[str, torch.Tensor]]
    optimizer: str
    settings: Mapping[str, Mapping[str, Any]]
    step: int
    file: Path


def has_optimizer(path: Path) -> bool:
    """Whether an optimizer's state stands beside the weights."""
    return any((path / name).is_file() for name in OPTIMIZER_FILES)


def read_optimizer(path: Path, model: nn.Module) -> OptimizerState:
    """The optimizer's state of the model directory `path`, on the CPU in float32 or more.

    Raises:
        UserError: there is none, it cannot be read, or it does not fit the model's parameters.
    """
    if (path / "optimizer.safetensors").is_file():
        return _read_safetensors(path / "optimizer.safetensors", model)
    if (path / "optimizer.pt").is_file():
        return _read_torch(path / "optimizer.pt", model)
    raise UserError(
        f"{path} has no optimizer state (optimizer.safetensors or optimizer.pt).",
        field="second_moments",
        remedy="Put it there, or have it estimated from passages of the corpus.",
    )


def _read_safetensors(file: Path, model: nn.Module) -> OptimizerState:
    entries: dict[str, dict[str, torch.Tensor]] = {}
    try:
        with safe_open(file, framework="pt") as saved:
            meta = saved.metadata() or {}
            keys = saved.keys()  # saved itself cannot be iterated over
            for key in keys:
                name, _, suffix = key.rpartition(".")
                entries.setdefault(name, {})[RENAMED.get(suffix, suffix)] = _widened(saved.get_tensor(key))
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"It cannot be read: {error}.", file=file, remedy="Copy it again; it may be cut short."
        ) from None
    unknown = sorted(set(entries) - {name for name, _ in model.named_parameters(remove_duplicate=False)})
    if unknown:
        raise UserError(
            f"It holds the state of {unknown[0]}, which this model does not have.",
            file=file,
            field=unknown[0],
            remedy="Give the state that was saved with these weights.",
        )
    optimizer = meta.get("optimizer") or ("adafactor" if _any(entries, "row_var") else "adamw")
    try:
        settings, step = _from_metadata(meta), int(meta.get("step", 0))
    except ValueError as error:
        raise UserError(
            f"Its metadata cannot be read: {error}.", file=file, remedy="Give numbers, as text."
        ) from None
    return OptimizerState(entries, optimizer, dict.fromkeys(entries, settings), step, file)


def _from_metadata(meta: Mapping[str, str]) -> dict[str, Any]:
    numbers = {name: float(meta[name]) for name in ("beta2_decay", "d", "weight_decay") if name in meta}
    settings: dict[str, Any] = dict(numbers)
    if "learning_rate" in meta:
        settings["lr"] = float(meta["learning_rate"])
    if "eps1" in meta:
        settings["eps"] = (
            None if meta["eps1"] == "None" else float(meta["eps1"]),
            float(meta.get("eps2", 1e-3)),
        )
    elif "eps" in meta:
        settings["eps"] = float(meta["eps"])
    if "beta1" in meta:
        settings["betas"] = (float(meta["beta1"]), float(meta.get("beta2", 0.999)))
    return settings


def _read_torch(file: Path, model: nn.Module) -> OptimizerState:
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True)
        groups, state = saved["param_groups"], dict(saved["state"])
        state = {
            number: dict(state[number]) for group in groups for number in group["params"] if number in state
        }
    except (
        pickle.UnpicklingError,
        RuntimeError,
        OSError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise UserError(
            f"It is no optimizer state: {str(error).splitlines()[0] if str(error) else type(error).__name__}.",
            file=file,
            remedy="Give the optimizer.pt of a Trainer checkpoint.",
        ) from None
    names = _names(file, model, groups, state)
    entries: dict[str, dict[str, torch.Tensor]] = {}
    settings: dict[str, Mapping[str, Any]] = {}
    step = 0
    for group in groups:
        for number in group["params"]:
            if number not in state:
                continue  # never had a gradient
            tensors = {RENAMED.get(key, key): value for key, value in state[number].items()}
            entries[names[number]] = {
                key: _widened(value)
                for key, value in tensors.items()
                if key in SUFFIXES and isinstance(value, torch.Tensor)
            }
            settings[names[number]] = {key: value for key, value in group.items() if key != "params"}
            step = max(step, int(tensors.get("step", 0)))
    optimizer = "adafactor" if _any(entries, "row_var") else "adamw"
    return OptimizerState(entries, optimizer, settings, step, file)


def _names(
    file: Path, model: nn.Module, groups: Sequence[Mapping[str, Any]], state: Mapping[int, Mapping[str, Any]]
) -> dict[int, str]:
    """The parameter name of each number, by the group it is in, its order there, and its shape."""
    own = own_parameters(model)
    parameters = {name: value for name, value in model.named_parameters() if name in own}
    if all(len(group.get("param_names", ())) == len(group["params"]) for group in groups):
        return {
            number: name.removeprefix(WRAPPED)
            for group in groups
            for number, name in zip(group["params"], group["param_names"], strict=True)
        }
    rules: list[Callable[[str], bool]] = [
        lambda name: not NO_DECAY.search(name),
        lambda name: parameters[name].dim() > 1,
        lambda name: "bias" not in name,
    ]
    problems = []
    for rule in rules if len(groups) > 1 else [lambda name: True]:
        ordered = [name for name in parameters if rule(name)], [name for name in parameters if not rule(name)]
        names = dict(
            zip([n for group in groups for n in group["params"]], ordered[0] + ordered[1], strict=False)
        )
        sizes = [len(group["params"]) for group in groups]
        fits = sizes == [len(part) for part in ordered if part]
        wrong = next((n for n, name in names.items() if _misfits(state.get(n, {}), parameters[name])), None)
        if fits and wrong is None:
            return names
        if wrong is not None:
            at = names[wrong]
            shape = _misfits(state[wrong], parameters[at])[0]
            problems.append((at, f"has shape {shape}, the parameter {at} {tuple(parameters[at].shape)}"))
        else:
            at = list(parameters)[-1]
            problems.append(
                (at, f"counts {sum(sizes)} parameters in groups of {sizes}, the model has {len(parameters)}")
            )
    at, problem = problems[0]
    raise UserError(
        f"The state {problem}.", file=file, field=at, remedy="Give the optimizer.pt saved with these weights."
    )


def _misfits(state: Mapping[str, Any], parameter: torch.Tensor) -> list[tuple[int, ...]]:
    """Shapes of the state's tensors that cannot be the parameter's."""
    shape = tuple(parameter.shape)
    expected = {
        "exp_avg_sq": [shape],
        "exp_avg": [shape],
        "variance": [shape],
        "row_var": [(*shape[:-1], 1), shape[:-1]],
        "col_var": [(*shape[:-2], 1, *shape[-1:]), shape[:-2] + shape[-1:]],
    }
    named = [
        (RENAMED.get(key, key), value) for key, value in state.items() if isinstance(value, torch.Tensor)
    ]
    return [tuple(v.shape) for key, v in named if key in expected and tuple(v.shape) not in expected[key]]


def _widened(moment: torch.Tensor) -> torch.Tensor:
    return moment.to(torch.promote_types(moment.dtype, torch.float32))


def _any(entries: Mapping[str, Mapping[str, torch.Tensor]], key: str) -> bool:
    return any(key in entry for entry in entries.values())
