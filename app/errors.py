"""The one way Startrail says that what it was given cannot be used.

Raised in any room, rendered at the edges: the CLI prints it and exits with code 2, the web answers
with a page or an RFC 9457 problem document. Never shown with a traceback.
"""

from pathlib import Path


class UserError(Exception):
    """Input, a file or a setting that cannot be used, with what to do about it.

    Args:
        message: one sentence that names what is wrong.
        remedy: one sentence that says what to do.
        file, line, field: where it is, as far as known. `line` counts from 1.
        status: the HTTP status of the same error on the web.
    """

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        file: str | Path | None = None,
        line: int | None = None,
        field: str | None = None,
        status: int = 422,
    ) -> None:
        self.message = message
        self.remedy = remedy
        self.file = str(file) if file is not None else None
        self.line = line
        self.field = field
        self.status = status
        super().__init__(str(self))

    def __str__(self) -> str:
        place = self.file or ""
        if self.line is not None:
            place += f":{self.line}" if place else f"line {self.line}"
        if self.field is not None:
            place += f", field {self.field}" if place else f"field {self.field}"
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} {self.remedy}".rstrip()


class NotFound(UserError):
    """Nothing has this name here (HTTP 404)."""

    def __init__(self, message: str, *, remedy: str = "", field: str | None = None) -> None:
        super().__init__(message, remedy=remedy, field=field, status=404)


class Interrupted(UserError):
    """What was done so far is kept: the same can be asked again, and goes on there."""
