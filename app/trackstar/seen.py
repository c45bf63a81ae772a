"""What the method sees in a model: the weights that gradients are taken of, how they are grouped, where V comes from."""

from typing import Any

from app.errors import UserError
from app.models.load import LoadedModel
from app.models.optimizer_state import has_optimizer, read_optimizer
from app.models.weights import group_of, layers_of
from app.trackstar.moments import load_moments


def model_seen(loaded: LoadedModel) -> dict[str, Any]:
    """Architecture, number of parameters and layers, how its files were taken where that is not plain, context in tokens, the
    marks around a passage, which matrices no gradients are taken of, where the second moments come from (or why they are
    unusable), and the digest of its files."""
    return {
        "architecture": type(loaded.model).__name__,
        "parameters": sum(parameter.numel() for parameter in loaded.model.parameters()),
        **({"taken_as": "; ".join(loaded.taken_as)} if loaded.taken_as else {}),
        "layers": loaded.layers,
        "context": loaded.context,
        "around_a_passage": " … ".join(
            _tokens(loaded, ids) for ids in (loaded.marks.start, loaded.marks.end)
        ),
        **({"left_out": ", ".join(loaded.left_out)} if loaded.left_out else {}),
        "second_moments": _moments(loaded),
        "sha256": loaded.sha256,
    }


def weights_seen(loaded: LoadedModel, groups: int) -> list[dict[str, Any]]:
    """Every weight that gradients are taken of: name, layer, kind, group, rows (out) and columns (in).

    Raises:
        UserError: the model has fewer layers than groups.
    """
    if groups > loaded.layers:
        raise UserError(
            f"{loaded.layers} layers cannot be cut into {groups} groups.",
            field="groups",
            remedy="Choose fewer.",
        )
    return [
        {
            "name": weight.name,
            "layer": weight.layer,
            "kind": weight.kind,
            "group": group_of(weight, layers_of(loaded.weights), groups),
            "out": weight.out_features,
            "in": weight.in_features,
            "transposed": weight.transposed,
        }
        for weight in loaded.weights
    ]


def _tokens(loaded: LoadedModel, ids: tuple[int, ...]) -> str:
    return " ".join(loaded.tokenizer.convert_ids_to_tokens(list(ids))) or "nothing"


def _moments(loaded: LoadedModel) -> str:
    if not has_optimizer(loaded.path):
        return "no optimizer's state: estimated from the corpus when an index is built"
    try:
        moments = load_moments(loaded, "factored")
    except UserError as error:
        return f"unusable: {error}"
    state = read_optimizer(loaded.path, loaded.model)
    rates = {settings.get("lr") for settings in state.settings.values()}
    rate = ", ".join(f"{rate:g}" for rate in rates if rate is not None) or "unknown"
    return f"{moments.source if moments else 'none'}; {state.step:,} steps, learning rate {rate} at the end"
