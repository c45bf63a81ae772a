"""Points in time in documents: with their zone, as RFC 3339 has them."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator

from app.store.jobs import utc

Moment = Annotated[datetime, AfterValidator(utc)]
