"""Take something down for good: from the store, from the caches beside indexes, and from the disk."""

import shutil

from app.settings import Settings
from app.store.engine import Store
from app.store.taking_down import give_back_space, take_down
from app.tracing.catalog import KEPT_WORDS, manifests


def remove(store: Store, settings: Settings, kind: str, name: str, reason: str) -> str:
    """See `app.store.taking_down`; of a corpus its indexes go too, and the words kept beside other indexes are made anew.

    Returns:
        the address that tells the reason from now on.

    Raises:
        NotFound: there is none of this name. UserError: no such kind, or no reason.
    """
    with store.session() as session:
        address = take_down(session, kind, name, reason)
    for index, manifest in manifests(settings):
        place = settings.indexes / index
        if kind == "corpus" and manifest.corpus.name == name:
            shutil.rmtree(place)
        elif kind == "passage":
            for kept in KEPT_WORDS:
                shutil.rmtree(place / kept, ignore_errors=True)
    give_back_space(store.engine)
    return address
