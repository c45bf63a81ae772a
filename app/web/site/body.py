"""Small request bodies, read with a limit before anything is made of them."""

import json
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ValidationError

from app.errors import UserError

Model = TypeVar("Model", bound=BaseModel)
_DRAIN = 32 << 20  # bytes still read after a refusal, so that the sender sees the answer and not a reset


async def read_body(request: Request, limit: int) -> bytes:
    """The body, if it is no larger than `limit` bytes.

    Raises:
        UserError: it is larger (HTTP 413); what came too much was dropped as it came.
    """
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            body += chunk
        elif size > _DRAIN:
            break
    if size > limit:
        raise UserError(
            f"This is more text than is read: over {limit // 1024:,} KB.", remedy="Shorten it.", status=413
        )
    return bytes(body)


async def read_form(request: Request, limit: int) -> list[tuple[str, str]]:
    """The fields of a plain form, in order.

    Raises:
        UserError: too large, or no form.
    """
    body = await read_body(request, limit)
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=500, errors="strict")
    except ValueError:
        raise UserError("The form cannot be read.", remedy="Send it again as UTF-8.", status=400) from None


async def read_json(request: Request, limit: int, model: type[Model], **fixed: Any) -> Model:
    """The body as a model; `fixed` fields come from the address.

    Raises:
        UserError: too large, no JSON object, or a field is wrong; `field` names the first such.
    """
    body = await read_body(request, limit)
    try:
        values = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise UserError("The body is not JSON.", remedy="Send a JSON object.", status=400) from None
    if not isinstance(values, dict):
        raise UserError("The body is not a JSON object.", remedy='Send {"field": value, …}.', status=400)
    return build(model, values | fixed)


def build(model: type[Model], values: dict[str, Any]) -> Model:
    """The model made of these values.

    Raises:
        UserError: a field is wrong; `field` names the first such.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        message = str(first["msg"]).removeprefix("Value error, ")
        raise UserError(
            f"{message[:1].upper()}{message[1:]}.",
            remedy="Correct this field and send it again.",
            field=str(first["loc"][0]) if first["loc"] else None,
        ) from None
