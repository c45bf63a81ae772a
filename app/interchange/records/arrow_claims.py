"""What the messages of an Arrow file say that they hold, read before anything is made of it.

A buffer says in its first eight bytes how long it is once decompressed, and a column of nothing but nulls has rows and no
bytes: both may be any number. The library makes room for what is said.

Source: format/Message.fbs of Apache Arrow, and FlatBuffers' binary format.
"""

import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

_RECORDS, _DICTIONARY, _KINDS = 3, 2, 1  # of a message: what its header is; where a message says so
_HEADER = 2  # field of a message
_DATA = 1  # field of a dictionary: its values, as a batch of records
_NODES, _BUFFERS, _COMPRESSION = 1, 2, 3  # fields of a batch of records
_PAIR = 16  # bytes of a node (rows, nulls) and of a buffer (offset, length)


class _Table:
    """A table of a flat buffer."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at
        self._fields = at - struct.unpack_from("<i", data, at)[0]

    def place(self, field: int) -> int | None:
        """Where a field stands; None where it was left out."""
        size = struct.unpack_from("<H", self.data, self._fields)[0]
        if 4 + 2 * field >= size:
            return None
        offset = struct.unpack_from("<H", self.data, self._fields + 4 + 2 * field)[0]
        return self.at + offset if offset else None

    def table(self, field: int) -> "_Table | None":
        """The table that a field leads to."""
        place = self.place(field)
        return None if place is None else _Table(self.data, place + _offset(self.data, place))

    def pairs(self, field: int) -> Iterator[tuple[int, int]]:
        """Two numbers for each element of a field that is a list of such."""
        place = self.place(field)
        if place is not None:
            start = place + _offset(self.data, place)
            for number in range(_offset(self.data, start)):
                yield struct.unpack_from("<qq", self.data, start + 4 + _PAIR * number)


def claimed(message: Any) -> int:
    """Bytes that a `pyarrow.Message` says its columns take, decompressed; a row takes a byte at least.

    Raises:
        pyarrow.ArrowInvalid: what it says makes no sense.
    """
    try:
        batch = _batch(bytes(message.metadata))
        return 0 if batch is None else _size(batch, message.body)
    except struct.error:
        raise pa.ArrowInvalid("a message ends before what it names") from None


def _batch(data: bytes) -> _Table | None:
    whole = _Table(data, _offset(data, 0))
    place = whole.place(_KINDS)
    kind = data[place] if place is not None else 0
    header = whole.table(_HEADER) if kind in (_RECORDS, _DICTIONARY) else None
    return header.table(_DATA) if header is not None and kind == _DICTIONARY else header


def _size(batch: _Table, body: Any) -> int:
    rows = sum(max(0, rows) for rows, _ in batch.pairs(_NODES))
    packed = batch.place(_COMPRESSION) is not None
    size = 0
    for offset, length in batch.pairs(_BUFFERS):
        if not 0 <= offset <= offset + length <= len(body):
            raise pa.ArrowInvalid("a buffer lies outside its message")
        said = struct.unpack("<q", bytes(body[offset : offset + 8]))[0] if packed and length >= 8 else -1
        size += length if said < 0 else said
    return max(size, rows)


def _offset(data: bytes, at: int) -> int:
    number: int = struct.unpack_from("<I", data, at)[0]
    return number
