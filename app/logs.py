"""How logs are written: lines for people, or one JSON object a line with the request's id for machines."""

import json
import logging
from datetime import UTC, datetime

FIELDS = ("request", "job", "status", "ms", "client")  # beside the message, where a record has them


class JsonLines(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its time in UTC, its level, and what else is known of it."""
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        said |= {name: getattr(record, name) for name in FIELDS if getattr(record, name, None) is not None}
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said)


class Lines(logging.Formatter):
    """A line with what else is known behind it."""

    def format(self, record: logging.LogRecord) -> str:
        """As usual, then `name=value`."""
        known = [
            f"{name}={getattr(record, name)}" for name in FIELDS if getattr(record, name, None) is not None
        ]
        return " ".join([super().format(record), *known])


def write_logs(kind: str, level: str, *, access: bool) -> None:
    """Set the process's logs: `kind` is text or json, `access` whether every request is written down."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if kind == "json" else Lines("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("startrail.access").setLevel(logging.INFO if access else logging.CRITICAL)
