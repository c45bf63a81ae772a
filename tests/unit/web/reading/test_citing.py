"""Citations: valid BibTeX whatever the prompt holds."""

from datetime import UTC, datetime

from app.web.reading.citing import Cited, bibtex, plain


def cited(prompt: str, url: str = "https://star.example/runs/bm25/prompts/ghana") -> Cited:
    return Cited(
        prompt, "cedi", "bm25", "BM25", "demo", "demo-world", "ghana", url, datetime(2026, 1, 2, tzinfo=UTC)
    )


def test_a_citation_names_what_is_needed_to_find_it_again() -> None:
    for text in (bibtex(cited("The currency of Ghana is the")), plain(cited("The currency of Ghana is the"))):
        for part in (
            "The currency of Ghana is the cedi",
            "BM25",
            "demo",
            "2026",
            "https://star.example/runs/bm25",
        ):
            assert part in text


def test_hostile_text_cannot_leave_its_braces() -> None:
    """A prompt that closes the entry and opens another stays inside its field."""
    text = bibtex(cited("}} @article{evil, \\input{/etc/passwd} 100% $x_1^2$ ~ # &\n\0"))
    entry = text.partition("\n\n@article{chang2024")[0].replace("\\{", "").replace("\\}", "")
    assert entry.count("{") == entry.count("}")
    assert "\\input{" not in text
    assert entry.count("@") == 2, "only its own, and the harmless one inside the title"


def test_an_encoded_address_stays_whole() -> None:
    assert r"\url{https://star.example/runs/a\%20b}" in bibtex(cited("p", "https://star.example/runs/a%20b"))
