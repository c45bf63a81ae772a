"""A model enters the store: with its size, and what the card beside its weights says."""

from pathlib import Path

from sqlalchemy.orm import Session

from app.models.card import read_card
from app.models.checkpoint import count_parameters
from app.store.models import register_model
from app.store.origins import Origin
from app.store.tables import Model


def register(session: Session, name: str, place: Path, sha256: str) -> Model:
    """The model of this name whose checkpoint lies at `place`, made or brought up to date."""
    card = read_card(place)
    return register_model(
        session,
        name,
        path=str(place),
        sha256=sha256,
        parameters=count_parameters(place),
        origin=Origin(card.description, card.source, card.licence, card.author),
        facts=card.facts,
    )
