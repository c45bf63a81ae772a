"""From what a page says to bytes: pages, fragments, events, JSON and problems all leave by here.

Passages are whatever the web holds, half characters (lone surrogates) among it, which UTF-8 cannot carry. Whoever
encodes by hand meets one sooner or later and breaks; here HTML shows U+FFFD in its place and JSON keeps it as an escape.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json

_HALF = re.compile("[\ud800-\udfff]")


def sendable(text: str) -> str:
    """The text with U+FFFD for every half character, one for one, so that offsets into it stay right."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _HALF.sub("\ufffd", text)
    return text


def text_bytes(text: str) -> bytes:
    """The text as UTF-8."""
    return sendable(text).encode()


def json_bytes(
    value: BaseModel | dict[str, Any], *, indent: int | None = 1, form: Callable[[str], str] | None = None
) -> bytes:
    """The value as JSON; half characters are escapes, and what is no number (NaN, infinity) is null.

    Args:
        form: what the addresses of pages become; see `app.web.site.links`.
    """
    told = {"form": form}
    try:
        return to_json(value, indent=indent, inf_nan_mode="null", context=told)
    except PydanticSerializationError:
        plain = value.model_dump(mode="json", context=told) if isinstance(value, BaseModel) else value
        return json.dumps(_finite(plain), indent=indent).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list) else value
