"""What the pages of a Parquet file say that they hold, read before anything is made of it.

The file's end tells the size of each column, but nobody is bound by it: the library makes room for what each page's own head
says, decompresses into that, and reads as many values as the head promises. So the heads count, and they are read here.

Source: parquet-format's parquet.thrift, and Thrift's compact protocol.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

_HEAD, _LONGEST = 1 << 12, 16 << 20  # bytes read for a head at first, and at most, as Arrow does
_DICTIONARY = 2  # of a page: what it is
_PREFIXED = 7  # an encoding: each text begins as the one before it did
_TRUE, _FALSE, _BYTE, _NUMBERS, _DOUBLE, _TEXT, _LISTS, _STRUCT = 1, 2, 3, (4, 5, 6), 7, 8, (9, 10), 12
_DEEPEST = 16


@dataclass(frozen=True)
class Page:
    """The head of a page; sizes in bytes. `prefixed`: a short text in it may stand for a long one."""

    size: int
    packed: int
    values: int
    dictionary: bool
    prefixed: bool


def pages(file: Any, column: Any) -> Iterator[Page]:
    """The pages of a column of a group of rows, as far as the library reads them.

    Args:
        column: a `pyarrow.parquet.ColumnChunkMetaData`.

    Raises:
        pyarrow.ArrowInvalid: a head makes no sense.
    """
    at = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < at:
        at = column.dictionary_page_offset
    end, waiting = at + column.total_compressed_size, column.num_values
    while at < end and waiting > 0:
        fields, length = _head(file, at)
        kind, size, packed = (fields.get(number, -1) for number in (1, 2, 3))
        if min(kind, size, packed) < 0:
            raise pa.ArrowInvalid("a page has no size")
        about: dict[int, Any] = next(
            (fields[number] for number in (5, 7, 8) if isinstance(fields.get(number), dict)), {}
        )
        page = Page(
            size,
            packed,
            about.get(1, 0),
            kind == _DICTIONARY,
            about.get(4 if 8 in fields else 2) == _PREFIXED,
        )
        yield page
        at += length + packed
        waiting -= 0 if page.dictionary else page.values


def _head(file: Any, at: int) -> tuple[dict[int, Any], int]:
    """The fields of a page's head and its length in bytes."""
    for most in (_HEAD, _LONGEST):
        file.seek(at)
        data = file.read(most)
        try:
            fields, end = _struct(data, 0, 0)
        except IndexError:
            if len(data) < most:
                break
        else:
            return fields, end
    raise pa.ArrowInvalid("a page has no head")


def _struct(data: bytes, at: int, depth: int) -> tuple[dict[int, Any], int]:
    """Numbers and structures by field; texts and lists are passed over."""
    if depth > _DEEPEST:
        raise pa.ArrowInvalid("the head of a page is too deep")
    fields: dict[int, Any] = {}
    number = 0
    while kind := data[at]:
        at += 1
        if kind >> 4:
            number += kind >> 4
        else:
            number, at = _number(data, at)
        fields[number], at = _value(data, at, kind & 15, depth)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    if kind == _BYTE:
        return data[at], at + 1
    if kind in _NUMBERS:
        return _number(data, at)
    if kind == _STRUCT:
        return _struct(data, at, depth + 1)
    if kind == _DOUBLE:
        return None, at + 8
    if kind == _TEXT:
        length, at = _plain(data, at)
        return None, at + length
    if kind in _LISTS:
        return None, _past_list(data, at, depth)
    raise pa.ArrowInvalid("the head of a page has a field of no kind")


def _past_list(data: bytes, at: int, depth: int) -> int:
    many, kind = data[at] >> 4, data[at] & 15
    at += 1
    if many == 15:
        many, at = _plain(data, at)
    for _ in range(many):
        at = at + 1 if kind in (_TRUE, _FALSE) else _value(data, at, kind, depth)[1]
    return at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number."""
    number, at = _plain(data, at)
    return (number >> 1) ^ -(number & 1), at


def _plain(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise pa.ArrowInvalid("a number in the head of a page does not end")
