"""EK-FAC against brute force: whole gradients by `torch.func` in float64, whole Fisher matrices where they fit."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from app.curvature.damping import TRIED, search_damping
from app.curvature.factors import Factors
from app.curvature.fit import fit_curvature, read_curvature, verify_curvature
from app.curvature.influence import influences, preconditioned, whole_gradient
from app.curvature.many import products, stacked
from app.curvature.parts import parted, shared_out
from app.curvature.place import MANIFEST
from app.errors import NotFound, UserError
from app.models.capture import Capture
from app.models.load import LoadedModel
from app.models.text import Query
from tests.support import tiny
from tests.support.reference import example_gradients

QUERY = Query("The capital of France is", " Paris")


def oriented(loaded: LoadedModel, example: object) -> list[torch.Tensor]:
    """The brute-force gradient of each linear weight as (out, in)."""
    gradients = example_gradients(loaded, example)  # type: ignore[arg-type]  # a query has what an example has
    return [weight.oriented(gradients[weight.name]) for weight in loaded.weights]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "neox", "gemma"])
@pytest.mark.parametrize("unit_norm", [False, True])
def test_a_passages_influence_is_the_product_of_two_whole_gradients(
    load: Callable[..., LoadedModel], kind: str, unit_norm: bool
) -> None:
    """Padded batches, weights stored the other way round and capped logits give what single examples give."""
    loaded = load(kind, dtype=torch.float64)
    passages = loaded.texts.passages([*tiny.TEXTS, ""])
    torch.manual_seed(0)
    direction = [torch.randn(w.out_features, w.in_features, dtype=torch.float64) for w in loaded.weights]
    ours = influences(Capture(loaded), direction, passages, unit_norm=unit_norm, batch_tokens=64)
    for passage, mine in zip(passages[:-1], ours, strict=False):
        whole = oriented(loaded, passage)
        expected = sum((g * u).sum() for g, u in zip(whole, direction, strict=True))
        if unit_norm:
            expected = expected / torch.sqrt(torch.stack([g.square().sum() for g in whole]).sum())
        assert float(mine) == pytest.approx(float(expected), rel=1e-6)  # Gemma's softmax is in float32
    assert float(ours[-1]) == 0.0  # a blank passage has no influence


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_many_products_at_once_are_those_of_one_direction_after_another(
    load: Callable[..., LoadedModel], kind: str
) -> None:
    loaded = load(kind, dtype=torch.float64)
    passages = loaded.texts.passages([*tiny.TEXTS, ""])
    capture = Capture(loaded)
    directions = [whole_gradient(capture, passage) for passage in passages[:2]]
    found, lengths = products(capture, stacked(directions), passages)
    for at, direction in enumerate(directions):
        assert torch.allclose(found[:, at], influences(capture, direction, passages))
        assert float(lengths[at]) == pytest.approx(float(found[at, at].sqrt()))
    assert float(lengths[-1]) == 0.0


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_curvature_is_the_diagonal_of_the_whole_fisher_in_the_factors_basis(
    load: Callable[..., LoadedModel], kind: str, tmp_path: Path
) -> None:
    """With the text's own labels nothing is random: Λ must be diag(Qᵀ F Q) of F = mean vec(∇L) vec(∇L)ᵀ, each entry."""
    loaded = load(kind, dtype=torch.float64)
    passages = loaded.texts.passages(tiny.MANY)
    fitted = fit_curvature(loaded, passages, tmp_path / "ekfac", labels="text")
    whole = [oriented(loaded, passage) for passage in passages]
    for at in (0, len(loaded.weights) - 1):
        factors = fitted[loaded.weights[at].name]
        left, right = factors.left.double(), factors.right.double()
        turned = torch.stack([left.T @ gradients[at] @ right for gradients in whole])
        expected = turned.square().mean(0)
        assert torch.allclose(
            factors.curvature.double(), expected, rtol=1e-4, atol=1e-6 * float(expected.max())
        )
        identity = torch.eye(len(left), dtype=torch.float64)
        assert torch.allclose(left.T @ left, identity, atol=1e-5)


@pytest.mark.slow
def test_labels_drawn_from_the_model_give_its_fisher_matrix(
    load: Callable[..., LoadedModel], tmp_path: Path
) -> None:
    """Enough draws come near E_y[∇L_y ∇L_yᵀ], summed over every possible next token with its probability."""
    loaded = load("llama", dtype=torch.float64)
    one = loaded.texts.query(Query("The fox", " ran"))
    one = type(one)(one.ids[: one.targets[0] + 1], one.targets[:1])
    fitted = fit_curvature(loaded, [one] * 3000, tmp_path / "ekfac")
    ids = torch.tensor([one.ids])
    probabilities = loaded.model(input_ids=ids).logits[0, one.targets[0] - 1].double().softmax(-1)
    name = loaded.weights[0].name
    factors = fitted[name]
    expected = torch.zeros_like(factors.curvature, dtype=torch.float64)
    for token in range(len(probabilities)):
        gradient = example_gradients(loaded, type(one)((*one.ids[:-1], token), one.targets))[name]
        turned = factors.left.double().T @ gradient @ factors.right.double()
        expected += probabilities[token] * turned.square()
    large = expected > expected.max() * 0.05
    ratio = factors.curvature.double()[large] / expected[large]
    assert float(ratio.mean()) == pytest.approx(1, abs=0.1)


def test_solving_is_the_inverse_of_the_damped_matrix() -> None:
    """Against the dense (out·in)² matrix, inverted."""
    torch.manual_seed(1)
    left, right = (torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))[0] for n in (5, 7))
    curvature = torch.rand(5, 7, dtype=torch.float64)
    basis = torch.kron(left, right)
    dense = basis @ torch.diag(curvature.flatten()) @ basis.T
    dense += 0.1 * curvature.mean() * torch.eye(35, dtype=torch.float64)
    gradient = torch.randn(5, 7, dtype=torch.float64)
    solved = Factors(left, right, curvature).solve(gradient)
    assert torch.allclose(solved.flatten(), torch.linalg.solve(dense, gradient.flatten()))


def test_the_querys_direction_is_newtons_step(load: Callable[..., LoadedModel], tmp_path: Path) -> None:
    """Each weight's own gradient, solved; from a query whose loss is on its completion alone."""
    loaded = load("neox", dtype=torch.float64)
    fitted = fit_curvature(loaded, loaded.texts.passages(tiny.TEXTS), tmp_path / "ekfac")
    wide = {
        name: Factors(f.left.double(), f.right.double(), f.curvature.double()) for name, f in fitted.items()
    }
    query = loaded.texts.query(QUERY)
    direction = preconditioned(Capture(loaded), wide, query)
    for weight, mine, gradient in zip(loaded.weights, direction, oriented(loaded, query), strict=True):
        assert torch.allclose(mine, wide[weight.name].solve(gradient), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("kind", "budget"), [("llama", 1), ("llama", 1 << 30), ("gpt2", 60_000)])
def test_the_damping_is_the_one_under_which_other_passages_gradients_are_likeliest(
    load: Callable[..., LoadedModel], tmp_path: Path, kind: str, budget: int
) -> None:
    """Against whole gradients turned into the factors' bases one by one; little is known from two passages, so more is added."""
    loaded = load(kind, dtype=torch.float64)
    passages = loaded.texts.passages([*tiny.TEXTS, *tiny.MANY])
    few, others = passages[:2], passages[2:12]
    found = {}
    for name, fitted_on in (("few", few), ("same", others)):
        factors = fit_curvature(loaded, fitted_on, tmp_path / name, labels="text")
        found[name] = search_damping(loaded, factors, others, labels="text", seed=0, budget=budget)
        gradients = [oriented(loaded, each) for each in others]
        unlikely = []
        for damping in TRIED:
            total = 0.0
            for at, weight in enumerate(loaded.weights):
                own = factors[weight.name]
                turned = [own.left.double().T @ each[at] @ own.right.double() for each in gradients]
                variance = own.curvature.double() + damping * own.curvature.double().mean()
                squares = torch.stack(turned).square().mean(0)
                total += float((variance.log() + squares / variance).sum())
            unlikely.append(total)
        assert found[name] == TRIED[unlikely.index(min(unlikely))]
    assert found["few"] > found["same"]


@pytest.mark.slow
def test_how_the_weights_are_parted_and_where_a_fit_was_stopped_change_no_byte(
    load: Callable[..., LoadedModel], tmp_path: Path
) -> None:
    """A fit in many parts, stopped in each of them, ends in the bytes of a fit in one part."""
    loaded = load("llama")
    passages = loaded.texts.passages(tiny.MANY)
    fit_curvature(loaded, passages, tmp_path / "one")

    class Stopped(Exception):
        pass

    def stop(gone: int, total: int) -> None:
        if gone > total / 3:
            raise Stopped

    for _ in range(3):
        with pytest.raises(Stopped):
            fit_curvature(loaded, passages, tmp_path / "many", budget=60_000, done=stop)
        with pytest.raises(UserError, match="not finished"):
            read_curvature(tmp_path / "many", loaded)
    fit_curvature(loaded, passages, tmp_path / "many", budget=60_000)
    assert len(parted(loaded.weights, 60_000)) > 3
    names = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert sorted(file.name for file in (tmp_path / "many").iterdir()) == names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()


def test_a_part_is_as_large_as_memory_allows_and_never_empty(load: Callable[..., LoadedModel]) -> None:
    """Every weight is in one part, in order; the smallest budget gives a part for each."""
    weights = load("llama").weights
    for budget in (1, 60_000, 1 << 30):
        assert [at for part in parted(weights, budget) for at in part] == list(range(len(weights)))
    assert len(parted(weights, 1)) == len(weights)
    assert len(parted(weights, 1 << 30)) == 1
    for count in (1, 2, 3, 5):  # who fit at once
        parts = shared_out(weights, 60_000, count)
        assert [at for part in parts for at in part] == list(range(len(weights)))
        assert len(parted(weights, 60_000)) <= len(parts) < len(parted(weights, 60_000)) + count
        assert len(shared_out(weights, 1 << 30, count)) in (count - 1, count)


def test_what_cannot_be_read_is_named(load: Callable[..., LoadedModel], tmp_path: Path) -> None:
    """No factors, another model's, another sample's, a changed bit, a missing file, a broken manifest."""
    loaded, directory = load("llama"), tmp_path / "ekfac"
    with pytest.raises(NotFound, match="no EK-FAC factors"):
        read_curvature(directory, loaded)
    passages = loaded.texts.passages(tiny.TEXTS)
    fit_curvature(loaded, passages, directory)
    with pytest.raises(UserError, match="another model"):
        read_curvature(directory, load("neox"))
    with pytest.raises(UserError, match="another model, sample, seed or labels"):
        fit_curvature(loaded, passages[:3], directory)
    with pytest.raises(UserError, match="not known"):
        fit_curvature(loaded, passages, directory, labels="guess")
    with pytest.raises(UserError, match="No passage"):
        fit_curvature(loaded, loaded.texts.passages([""]), tmp_path / "empty")
    verify_curvature(directory)
    file = directory / f"{loaded.weights[1].name}.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        verify_curvature(directory)
    assert file.name in str(caught.value)
    file.unlink()
    with pytest.raises(UserError, match="missing or damaged"):
        read_curvature(directory, loaded)
    (directory / MANIFEST).write_text(json.dumps({"model": 1, "unheard of": 2}))
    with pytest.raises(UserError, match="damaged"):
        read_curvature(directory, loaded)
