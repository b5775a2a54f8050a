"""What each process that we start inherits, however empty its environment is otherwise."""

import os
from typing import Final

_NAMES: Final = ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "DYLD_FORCE_FLAT_NAMESPACE")
_CLOCK: Final = "FAKETIME"


def preloaded() -> dict[str, str]:
    """Return the variables that load a library into every process, and libfaketime's own.

    Such a library may move the clock of a whole run of tests. A process without it would live on
    another day than the certificates that were made for it.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name in _NAMES or name.startswith(_CLOCK)
    }
