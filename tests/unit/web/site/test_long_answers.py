"""Long answers take turns, and whoever leaves in the middle leaves nothing open."""

import gzip
import threading
import time
from collections.abc import Iterator

from app.web.site.long_answers import in_turn


def test_only_one_is_made_at_a_time() -> None:
    """Four exports that all computed at once left a page a fifth of the processor at each of its questions."""
    at_work, most = 0, 0

    def slow() -> Iterator[bytes]:
        nonlocal at_work, most
        for _ in range(5):
            at_work += 1
            most = max(most, at_work)
            time.sleep(0.002)
            at_work -= 1
            yield b"x" * 1000

    answers: list[bytes] = []

    def read(packed: bool) -> None:
        answers.append(b"".join(in_turn(slow(), packed=packed)))

    readers = [threading.Thread(target=read, args=(n % 2 == 0,)) for n in range(4)]
    for each in readers:
        each.start()
    for each in readers:
        each.join(10)
    assert most == 1
    plain = [gzip.decompress(each) if each.startswith(b"\x1f\x8b") else each for each in answers]
    assert plain == [b"x" * 5000] * 4


def test_what_is_left_in_the_middle_is_closed_and_the_turn_given_on() -> None:
    closed = []

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.append(True)

    left = in_turn(endless(), packed=False)
    assert next(left) == b"x"
    left.close()  # type: ignore[attr-defined]  # a generator, typed as what its callers need
    assert closed
    assert list(in_turn([b"a", b"b"], packed=False)) == [b"a", b"b"]
