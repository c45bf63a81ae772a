"""Where a space stands between a prompt and its target: one rule, for every way a set may be written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.words.joining import doubts, follow


@pytest.mark.parametrize(
    ("prompt", "target", "want"),
    [
        ("The capital of France is", "Paris", " Paris"),
        ("The capital of France is ", "Paris", "Paris"),
        ("The capital of France is", " Paris", " Paris"),
        ("", "Paris", "Paris"),
        ("The capital of Ghana is Accra", ", said Emeka", ", said Emeka"),
        ("2 + 3 =", "5", " 5"),
        ("x=", "5", "5"),
        ("Guinea-", "Bissau", "Bissau"),
        ("It costs $", "5", "5"),
        ("He said “", "yes", "yes"),
        ('He said "', "yes", "yes"),
        ('He said "no"', "and left", " and left"),
        ("She (", "Ada", "Ada"),
        ("She (Ada", ")", ")"),
        ("日本の首都は", "東京", "東京"),
        ("東京 Tower は、", "333", "333"),
        ("The capital of Japan is", "東京", " 東京"),
        ("เมืองหลวงของไทยคือ", "กรุงเทพ", "กรุงเทพ"),
        ("한국의 수도는", "서울", " 서울"),
        ("Столица Франции —", "Париж", " Париж"),
    ],
)
def test_a_target_follows_its_prompt_as_it_is_written(prompt: str, target: str, want: str) -> None:
    assert follow(prompt, target) == want


@given(prompt=st.text(min_size=1), target=st.text(min_size=1))
def test_at_most_one_space_is_put_and_nothing_else_changes(prompt: str, target: str) -> None:
    made = follow(prompt, target)
    assert made in (target, f" {target}")
    assert follow(prompt, made) == made


@given(prompt=st.text(min_size=1), typed=st.text(min_size=1))
def test_a_repair_leaves_nothing_to_doubt(prompt: str, typed: str) -> None:
    """One click repairs a border; a form that asked back again and again would not."""
    fields = {"prompt": prompt, "completion": typed}
    for _ in range(3):
        found = doubts(fields["prompt"], fields["completion"])
        if not found:
            return
        fields |= found[0].repaired
    assert not doubts(fields["prompt"], fields["completion"])
