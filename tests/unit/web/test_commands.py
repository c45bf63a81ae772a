"""Messages name commands between backticks, which pages had shown as they are."""

import pytest

from app.web.marking.commands import commands


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Run `startrail demo` first.", "Run <code>startrail demo</code> first."),
        ("`a` or `b`", "<code>a</code> or <code>b</code>"),
        ("one ` alone", "one ` alone"),
        ("`a` and ` alone", "<code>a</code> and ` alone"),
        ("`<script>` & <b>", "<code>&lt;script&gt;</code> &amp; &lt;b&gt;"),
        ("", ""),
    ],
)
def test_commands_are_code_and_nothing_else_is(text: str, shown: str) -> None:
    assert str(commands(text)) == shown
