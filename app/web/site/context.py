"""What a page's loader is given: a session of the store, and the settings."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.settings import Settings


def _session(request: Request) -> Iterator[Session]:
    with request.app.state.store.session() as session:
        yield session


async def _settings(request: Request) -> Settings:  # what only looks takes no thread
    settings: Settings = request.app.state.settings
    return settings


# Given back when the page is made, before it is sent: a slow reader holds no connection.
Db = Annotated[Session, Depends(_session, scope="function")]
Config = Annotated[Settings, Depends(_settings)]
