"""What the name of a results file tells."""

from app.words.methods import IMPORTED, METHODS


def method_in(file_name: str) -> str:
    """The method that the name speaks of, the longest word of all that stand in it; or `imported`."""
    plain = _plain(file_name)
    words = {
        word: name for name, method in METHODS.items() for word in (_plain(method.name), *method.spellings)
    }
    found = [word for word in words if word in plain]
    return words[max(found, key=len)] if found else IMPORTED


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
