"""Where nobody watches a bar (a log, a CI job), long work still says how far it is."""

import pytest

from app.cli import progress


def test_a_log_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty minutes without a word look like a hang."""
    monkeypatch.setattr(progress, "QUIET", 0.0)
    with progress.bar("Encoding") as step:
        step(50, 200, "Encoding, loss 2.00")
    said = capsys.readouterr()
    assert said.out == ""
    assert "Encoding, loss 2.00: 50 of 200 after 0 s, 0 s left" in said.err


@pytest.mark.parametrize(
    ("speed", "said"), [(1234.5, "1,234/s"), (9.96, "10.0/s"), (0.4, "0.4/s"), (0.01, "100 s each")]
)
def test_slow_work_has_a_speed_too(speed: float, said: str) -> None:
    """A large model does less than one passage a second: "0 passages/s" is no speed."""
    assert progress.spoken_rate(speed) == said


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Below twenty seconds the result itself is the news."""
    with progress.bar("Encoding") as step:
        step(1, 2)
    assert capsys.readouterr().err == ""
