"""The points of the curves: which there are, what they are called, which share a pass over the corpus, what is refused."""

from dataclasses import replace

import pytest

from app.errors import UserError
from app.runs.ablate import families_of, paper_variants, run_slug
from app.runs.ablating import thin
from app.runs.sweeps import damping_variants, dimension_variants, mixing_variants, seed_variants
from app.trackstar.config import EncodingConfig
from app.words.methods import WHITENED, method_label

BASE = EncodingConfig(groups=2, projection_dim=32, damping=1e-3, seed=0)


def test_each_point_is_the_indexs_method_with_one_switch_set_and_a_name_that_says_so() -> None:
    plain = paper_variants(BASE)[WHITENED]
    assert dimension_variants(BASE, [1_024, 16_384]) == {
        "trackstar-d-1024": replace(plain, projection_dim=16),
        "trackstar-d-16384": replace(plain, projection_dim=64),
    }
    assert damping_variants(BASE, [0.1, 1]) == {
        "trackstar-damping-0.1": replace(plain, damping=0.1),
        "trackstar-damping-1": replace(plain, damping=1),
    }
    assert seed_variants(BASE, [7]) == {"trackstar-seed-7": replace(plain, seed=7)}
    assert list(mixing_variants(BASE, [0.5, 0.99])) == ["trackstar-0.5", "trackstar-0.99"]
    assert method_label("trackstar-d-16384") == "TrackStar, d = 16,384"
    assert run_slug("demo-", "trackstar-damping-0.1") == "demo-trackstar-damping-0-1"


def test_the_indexs_own_value_is_a_run_that_every_ablation_has() -> None:
    assert list(dimension_variants(BASE, [4_096, 1_024])) == ["trackstar-d-1024"]
    assert list(damping_variants(BASE, [1e-3, 0.01])) == ["trackstar-damping-0.01"]
    assert list(seed_variants(BASE, [0, 1])) == ["trackstar-seed-1"]


@pytest.mark.parametrize(
    ("dimension", "nearest"),
    [
        (5_000, ["4,900 (p = 35)", "5,184 (p = 36)"]),
        (1_023, ["900 (p = 15)", "1,024 (p = 16)"]),
        (3, ["4 (p = 1)", "16 (p = 2)"]),
    ],
)
def test_a_d_that_no_p_makes_is_refused_with_the_nearest_ones(dimension: int, nearest: list[str]) -> None:
    with pytest.raises(UserError, match=f"No p makes d = {dimension:,}: with 2 groups.* d is 4 · p²") as told:
        dimension_variants(BASE, [1_024, dimension])
    assert all(each in told.value.remedy for each in nearest), told.value.remedy


def test_dampings_share_a_pass_over_the_corpus_and_dimensions_and_seeds_take_their_own() -> None:
    paper = paper_variants(BASE)
    passes = len(families_of(paper))
    assert len(families_of(paper | damping_variants(BASE, [0.01, 0.1, 1]))) == passes
    more = dimension_variants(BASE, [1_024, 16_384]) | seed_variants(BASE, [1, 2, 3])
    assert len(families_of(paper | more)) == passes + 5


def test_of_an_r_that_has_too_few_passages_one_line_is_said() -> None:
    variants = paper_variants(BASE) | dimension_variants(BASE, [256, 16_384])
    assert thin(variants, 10_000) == []
    [line] = thin(variants, 2_000)
    assert "fitted on 2,000 passages, fewer than the 4,096 numbers of a block (p = 64)" in line
    assert "of TrackStar, d = 16,384:" in line
    assert len(thin(variants, 500)) == 2, "the index's own blocks as well"
