"""A key that stands in one JSON object twice: who reviews the text may read the other value."""

from typing import Any


class KeyTwiceError(ValueError):
    """A key has two values in one object; the text of the error does not show it."""

    def __init__(self, key: str) -> None:
        super().__init__("a key is there twice")
        self.key = key


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON (the ``object_pairs_hook`` of ``json.loads``).

    Raises:
        KeyTwiceError: a key has two different values.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found and found[key] != value:
            raise KeyTwiceError(key)
        found[key] = value
    return found
